//! The server's own certificate authority.
//!
//! Keeps one P-256 authority in a directory, issues the server's certificate
//! and one certificate per device, and builds the TLS settings of the HTTPS
//! listeners. It never decides who may connect: a certificate is revoked by
//! its serial number in the store, and every time is given by the caller.
//!
//! Start at [`Authority`]; [`PeerCertificate`] reads what a client presented.

mod authority;
mod error;
mod files;
mod issue;
mod peer;
mod tls;

pub use authority::Authority;
pub use error::AuthorityError;
pub use issue::{IssuedCertificate, IssuedDevice};
pub use peer::{PeerCertificate, PeerCertificateError};
