//! rmqtt's network half with a door of our own.
//!
//! rmqtt takes connections from a listener of its own crate alone, which reads TLS settings once
//! from files, tells little of a client certificate, and waits for a first packet for ever. This
//! crate takes the place of that one. A [`Listener`] asks a [`Door`] for connections, whatever
//! carries them. `builder.rs`, `stream.rs` and `error.rs` are those of rmqtt-net 0.5.0, less what
//! is not used; see README.md.
//!
//! Start at [`Door`].

mod builder;
mod door;
mod error;
mod stream;

pub use builder::{Builder, ListenerType};
pub use door::{Acceptor, Arrival, Dispatcher, Door, Entering, Guest, Listener, Stream};
pub use error::MqttError;
pub use stream::{MqttStream, v3, v5};

/// Whatever goes wrong.
pub type Error = anyhow::Error;

/// What may go wrong.
pub type Result<T> = anyhow::Result<T, Error>;
