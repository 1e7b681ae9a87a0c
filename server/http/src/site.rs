//! What every route may reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRef;
use otaru_operations::App;
use tokio::sync::Semaphore;

/// Images being uploaded at once. Each is held in memory until it is checked,
/// so this bounds what uploads cost; others wait.
const UPLOADS_AT_ONCE: usize = 2;

/// Whether the server is complete: set once everything listens, taken back before draining.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether `/readyz` answers 200.
    pub fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Ordering::SeqCst);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How requests reach the plain port, and so what its connections say of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainPort {
    /// Whoever connects from a loopback address is of this machine, and may ask for the
    /// server's health without a token. What a request says of its way here is not believed.
    Direct,
    /// Everybody connects from where the proxy is, which says for whom in
    /// `X-Forwarded-For`.
    BehindProxy,
}

/// The state of the router.
#[derive(Clone, FromRef)]
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) readiness: Readiness,
    pub(crate) plain_port: PlainPort,
    pub(crate) uploads: Uploads,
}

impl Site {
    pub(crate) fn new(app: App, readiness: Readiness, plain_port: PlainPort) -> Site {
        Site { app, readiness, plain_port, uploads: Uploads::of(UPLOADS_AT_ONCE) }
    }
}

/// Places for uploads.
#[derive(Clone)]
pub(crate) struct Uploads(pub(crate) Arc<Semaphore>);

impl Uploads {
    /// This many at once.
    pub(crate) fn of(at_once: usize) -> Uploads {
        Uploads(Arc::new(Semaphore::new(at_once)))
    }
}
