//! The server's HTTP side.

mod download;
mod error;
mod extract;
mod layers;
mod listener;
mod sse;

pub use error::ApiError;
pub use listener::{DEFAULT_MAX_CONNECTIONS, Listener, PeerCertificate, Security, Serving};
