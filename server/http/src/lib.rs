//! The HTTP side of the server: routes, downloads, event streams, and the ports they stand on.
//!
//! A handler parses, calls one operation and renders its answer; permissions
//! and transactions are in `server/operations`, and nothing is stored here.
//! Every refusal is a problem with a stable code, except on the AWS data plane,
//! which has its own shape.
//!
//! Start at [`router`]; the files of `routes/` mirror the paths. Ports are in
//! `listener.rs`, ranges and conditions in `download.rs`.

mod download;
mod error;
mod extract;
mod flow_cookie;
mod grpc;
pub mod headers;
mod identity;
mod layers;
mod listener;
mod openapi;
mod paging;
mod refusal;
mod remote;
mod routes;
mod session_cookie;
mod sigv4;
mod site;
mod sse;
mod upload;
mod user_agent;
mod web;

use error::ApiError;
pub use listener::{DEFAULT_MAX_CONNECTIONS, Listener, Security, Serving, TlsPort};
pub use routes::{OfferedAuthority, device_router, router};
pub use site::{PlainPort, Readiness};
