//! Readers: a few threads, each with a connection of its own.

use std::sync::{Arc, Mutex, mpsc};

use crate::{
    StoreError, Tx,
    connection::{Address, Connection},
};

/// A read waiting for a free reader.
pub(crate) type Job = Box<dyn FnOnce(Result<&mut Tx<'_>, StoreError>) + Send>;

/// Starts `count` reader threads that end when the returned sender is dropped.
pub(crate) fn start(address: &Address, count: usize) -> Result<mpsc::Sender<Job>, StoreError> {
    let (sender, receiver) = mpsc::channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..count {
        let (address, receiver) = (address.clone(), receiver.clone());
        std::thread::Builder::new()
            .name(format!("store-reader-{number}"))
            .spawn(move || serve(&address, &receiver))
            .map_err(StoreError::unavailable)?;
    }
    Ok(sender)
}

fn serve(address: &Address, receiver: &Mutex<mpsc::Receiver<Job>>) {
    let mut connection = None;
    loop {
        // Only a panic while taking a job poisons the lock, and taking one cannot panic.
        let Ok(Ok(job)) = receiver.lock().map(|receiver| receiver.recv()) else { return };
        match begin(address, connection.take()) {
            Ok(begun) => connection = Some(read(begun, job)),
            Err(error) => job(Err(error)),
        }
    }
}

/// A connection inside a transaction; a new connection if the old one is no good any more,
/// which is only found out by asking it for something.
fn begin(address: &Address, connection: Option<Connection>) -> Result<Connection, StoreError> {
    if let Some(mut connection) = connection
        && connection.begin().is_ok()
    {
        return Ok(connection);
    }
    let mut connection = address.reader()?;
    connection.begin()?;
    Ok(connection)
}

/// One read sees one state of the database.
fn read(mut connection: Connection, job: Job) -> Connection {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        job(Ok(&mut Tx::reading(&mut connection)));
    }));
    if outcome.is_err() {
        tracing::error!("A database read panicked");
    }
    // If this fails the next transaction cannot begin, and the connection is replaced.
    let _ = connection.batch("ROLLBACK");
    connection
}
