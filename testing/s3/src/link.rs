//! A link that does to answers what networks and stores do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is wrong with the next answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection is accepted and nothing is ever answered.
    Silent,
    /// It breaks after this many bytes of an answer, head included.
    CutAfter(usize),
    /// This many bytes a second come through.
    Slow(usize),
    /// As [`Fault::CutAfter`], and every connection shows another entity tag than the last.
    CutAndRetagged(usize),
}

/// Forwards HTTP/1.1 from a port of its own, until dropped.
pub struct Link {
    address: String,
    fault: Arc<Mutex<Fault>>,
    connections: Arc<AtomicU32>,
    accepting: JoinHandle<()>,
}

impl Link {
    /// A link to the server at `http://host:port`; needs a tokio runtime.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(server: &str) -> Link {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let fault = Arc::new(Mutex::new(Fault::None));
        let connections = Arc::new(AtomicU32::new(0));
        let (shared, counted) = (fault.clone(), connections.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(forward(client, server, shared.clone(), number));
            }
        });
        Link { address, fault, connections, accepting }
    }

    /// Where clients connect: `http://127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on, also on open connections.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many connections there were.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(client: TcpStream, server: TcpStream, fault: Arc<Mutex<Fault>>, number: u32) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let mut answered = 0;
    let mut buffer = vec![0; 4096];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        let fault = *fault.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = &mut buffer[..read];
        let sent = match fault {
            Fault::None => read,
            Fault::Silent => std::future::pending().await,
            Fault::CutAfter(at) => read.min(at.saturating_sub(answered)),
            Fault::CutAndRetagged(at) => {
                falsify_tag(bytes, number);
                read.min(at.saturating_sub(answered))
            }
            Fault::Slow(per_second) => {
                tokio::time::sleep(Duration::from_secs_f64(read as f64 / per_second as f64)).await;
                read
            }
        };
        if to_client.write_all(&bytes[..sent]).await.is_err() || sent < read {
            break;
        }
        answered += sent;
    }
    asking.abort();
}

/// Writes the connection's number into the entity tag, if the bytes hold one.
fn falsify_tag(bytes: &mut [u8], number: u32) {
    let name = b"etag: \"";
    let found = bytes.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name));
    if let Some(at) = found
        && let Some(tag) = bytes[at + name.len()..].first_chunk_mut::<8>()
    {
        tag.copy_from_slice(format!("{number:08}").as_bytes());
    }
}
