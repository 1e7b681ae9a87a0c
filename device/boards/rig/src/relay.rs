//! A wire between a board and the server, which can be cut, and on which somebody else may speak.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;

const PART_BYTES: usize = 4096;

/// Whatever connects to its port is connected to the server's.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    wire: Arc<Wire>,
}

#[derive(Debug, Default)]
struct Wire {
    is_cut: AtomicBool,
    /// Bytes of the server that may still pass before it is cut by itself.
    left: Mutex<Option<u64>>,
    passed: AtomicU64,
    /// Both ends of every connection.
    ends: Mutex<Vec<(TcpStream, TcpStream)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    /// A relay to a port of this machine. It lives as long as the process.
    pub fn start(server: u16) -> Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(Wire::default());
        let shared = wire.clone();
        thread::spawn(move || {
            for board in listener.incoming().map_while(Result::ok) {
                // What cannot be connected is closed, as over a wire that is cut.
                let _ = shared.connect(board, server);
            }
        });
        Ok(Relay { port, wire })
    }

    /// Where boards connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and lets no other one come about.
    pub fn cut(&self) {
        self.wire.cut();
    }

    /// Cuts itself once the server has sent so much more.
    pub fn cut_after(&self, bytes: u64) {
        *locked(&self.wire.left) = Some(bytes);
    }

    /// The wire is whole again.
    pub fn mend(&self) {
        *locked(&self.wire.left) = None;
        self.wire.is_cut.store(false, Ordering::SeqCst);
    }

    /// Whether it is cut.
    pub fn is_cut(&self) -> bool {
        self.wire.is_cut.load(Ordering::SeqCst)
    }

    /// Bytes that the server sent over it so far.
    pub fn passed(&self) -> u64 {
        self.wire.passed.load(Ordering::SeqCst)
    }

    /// Sends something to the board that the server did not send.
    pub fn inject(&self, bytes: &[u8]) -> Result<()> {
        for (board, _) in locked(&self.wire.ends).iter_mut() {
            // One that is over hears nothing.
            let _ = board.write_all(bytes);
        }
        Ok(())
    }
}

impl Wire {
    fn connect(self: &Arc<Wire>, board: TcpStream, server: u16) -> Result<()> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
        board.set_nodelay(true)?;
        server.set_nodelay(true)?;
        locked(&self.ends).push((board.try_clone()?, server.try_clone()?));
        let (to_server, to_board) = (server.try_clone()?, board.try_clone()?);
        thread::spawn(move || pump(board, to_server, |_| true));
        let wire = self.clone();
        thread::spawn(move || pump(server, to_board, |bytes| wire.lets_pass(bytes)));
        Ok(())
    }

    /// Counts what the server sends; `false` once the wire is cut.
    fn lets_pass(&self, bytes: u64) -> bool {
        self.passed.fetch_add(bytes, Ordering::SeqCst);
        let mut left = locked(&self.left);
        if let Some(left) = left.as_mut() {
            *left = left.saturating_sub(bytes);
        }
        let is_over = *left == Some(0);
        drop(left);
        if is_over {
            self.cut();
        }
        !self.is_cut.load(Ordering::SeqCst)
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for (board, server) in locked(&self.ends).drain(..) {
            // It may be over already.
            let _ = (board.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        }
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, lets_pass: impl Fn(u64) -> bool) {
    let mut part = [0; PART_BYTES];
    while let Ok(length @ 1..) = from.read(&mut part) {
        if !lets_pass(length as u64) || to.write_all(&part[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Read), to.shutdown(Shutdown::Write));
}
