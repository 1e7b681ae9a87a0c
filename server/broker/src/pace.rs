//! How fast one device may ask for things. Whoever is faster is not cut off: the socket is read
//! when it is their turn again, and TCP tells them.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::DeviceLimits;
use crate::allowance::{Allowance, Limit};
use crate::connection::Connection;
use crate::hub::Hub;

/// What is left to one connection.
pub(crate) struct Pace(Mutex<Left>);

struct Left {
    requests: Allowance,
    bytes: Allowance,
}

impl Pace {
    pub(crate) fn new(limits: &DeviceLimits, now_ms: i64) -> Pace {
        let full = |amount| Allowance::full(Limit::per_second(amount), now_ms);
        let (requests, bytes) = (full(limits.requests_per_s), full(limits.bytes_per_s));
        Pace(Mutex::new(Left { requests, bytes }))
    }

    /// Takes one request with its bytes, or says how long to wait.
    fn take(&self, now_ms: i64, bytes: u32) -> Result<(), Duration> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = [left.requests.wait(now_ms, 1), left.bytes.wait(now_ms, bytes)];
        if let Some(longest) = waits.into_iter().flatten().max() {
            return Err(longest);
        }
        left.requests.take(now_ms, 1);
        left.bytes.take(now_ms, bytes);
        Ok(())
    }
}

impl Hub {
    /// Waits until the client may ask for something; its socket is not read meanwhile.
    pub(crate) async fn keep_pace(&self, connection: &Connection, bytes: usize) {
        let Some(pace) = &connection.pace else { return };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        while let Err(wait) = pace.take((self.clock)(), bytes) {
            // It is read no more, and ends as soon as the packet is done with.
            if connection.closed_because().is_some() {
                return;
            }
            // Once: a client that is always at its limit could fill the log.
            if connection.is_first_slowing() {
                self.counters.slowed.fetch_add(1, Relaxed);
                tracing::info!(
                    client.id = connection.session.client_id,
                    "Client asks for more than it may in a second, so it is read more slowly"
                );
            }
            tokio::time::sleep(wait).await;
        }
    }
}
