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
    let mut connection: Option<Connection> = None;
    loop {
        // Only a panic while taking a job poisons the lock, and taking one cannot panic.
        let Ok(Ok(job)) = receiver.lock().map(|receiver| receiver.recv()) else { return };
        connection = connection.filter(Connection::is_usable);
        if connection.is_none() {
            match address.reader() {
                Ok(opened) => connection = Some(opened),
                Err(error) => {
                    job(Err(error));
                    continue;
                }
            }
        }
        if let Some(connection) = &mut connection {
            read(connection, job);
        }
    }
}

/// One read sees one state of the database.
fn read(connection: &mut Connection, job: Job) {
    if let Err(error) = connection.begin() {
        return job(Err(error));
    }
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        job(Ok(&mut Tx::new(connection)));
    }));
    if outcome.is_err() {
        tracing::error!("A database read panicked");
    }
    let _ = connection.batch("ROLLBACK");
}
