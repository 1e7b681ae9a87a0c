use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use otaru_broker::Addresses;
use otaru_http::Security;

/// Where one run of the server is reached.
pub(crate) struct Bound {
    pub(crate) people: Router,
    pub(crate) devices: Router,
    pub(crate) mqtt: Addresses,
    /// Of the devices' HTTPS, where a test serves it.
    pub(crate) security: Security,
}

/// Where the server is reached now: those who hold it find the server again after a restart.
#[derive(Clone)]
pub(crate) struct Ports(Arc<Mutex<Bound>>);

impl Ports {
    pub(crate) fn new(bound: Bound) -> Ports {
        Ports(Arc::new(Mutex::new(bound)))
    }

    pub(crate) fn replace(&self, bound: Bound) {
        *self.bound() = bound;
    }

    pub(crate) fn mqtt(&self) -> Addresses {
        self.bound().mqtt
    }

    pub(crate) fn security(&self) -> Security {
        self.bound().security.clone()
    }

    fn bound(&self) -> MutexGuard<'_, Bound> {
        self.0.lock().expect("nobody panics with the lock")
    }
}

/// One of the two HTTP ports.
#[derive(Clone)]
pub(crate) enum Port {
    People(Ports),
    Devices(Ports),
}

impl Port {
    pub(crate) fn router(&self) -> Router {
        match self {
            Port::People(ports) => ports.bound().people.clone(),
            Port::Devices(ports) => ports.bound().devices.clone(),
        }
    }
}
