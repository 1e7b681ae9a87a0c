//! The line between the store and PostgreSQL, which a test can break.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) struct Wire {
    /// As the database's own, over this line.
    pub(crate) url: String,
    /// The answer to a message that holds this is lost, and its connection with it.
    fatal: Arc<Mutex<Option<&'static str>>>,
}

impl Wire {
    pub(crate) fn to(url: &str) -> Wire {
        let (user, rest) = url.rsplit_once('@').expect("a user");
        let (server, name) = rest.split_once('/').expect("a database");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let here = listener.local_addr().expect("an address");
        let (server, fatal) = (server.to_owned(), Arc::default());
        let wire = Wire { url: format!("{user}@{here}/{name}"), fatal: Arc::clone(&fatal) };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                let server = TcpStream::connect(&server).expect("PostgreSQL listens");
                join(client, server, &fatal);
            }
        });
        wire
    }

    pub(crate) fn lose_the_answer_to_the_next(&self, message: &'static str) {
        *self.fatal.lock().expect("nobody panics with the lock") = Some(message);
    }
}

/// Hands on what comes from either side until one is gone.
fn join(client: TcpStream, server: TcpStream, fatal: &Arc<Mutex<Option<&'static str>>>) {
    let ends = || (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    let is_lost = Arc::new(Mutex::new(false));
    let ((from_client, to_server), lost, fatal) = (ends(), is_lost.clone(), fatal.clone());
    std::thread::spawn(move || {
        pump(&from_client, &to_server, |bytes| {
            let mut fatal = fatal.lock().expect("nobody panics with the lock");
            let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            if fatal.take_if(|text| has(text)).is_some() {
                *lost.lock().expect("nobody panics with the lock") = true;
            }
            true
        });
    });
    let (to_client, from_server) = ends();
    std::thread::spawn(move || {
        pump(&from_server, &to_client, |_| !*is_lost.lock().expect("nobody panics with the lock"));
    });
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, mut goes_on: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).unwrap_or(0);
        if read == 0 || !goes_on(&bytes[..read]) || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // Either may be gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
