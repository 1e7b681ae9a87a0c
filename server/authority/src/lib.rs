//! The server's own certificate authority.
//!
//! Keeps one P-256 authority for devices in a directory and another, limited to
//! the server's names, for people; issues the server's certificates and one
//! certificate per device, and builds the TLS settings of the ports. It never decides who may
//! connect: whom the ports believe is `server/doors`, a certificate is revoked in the store, and
//! every time is given by the caller.
//!
//! Start at [`Authority`].

mod authority;
mod csr;
mod current;
mod error;
mod files;
mod issue;
mod key;
mod names;
mod outside;
mod own;
mod people;
mod rotation;
mod sealed;
mod server;
mod tls;

pub use authority::Authority;
pub use csr::{
    CLAIM_HOLDER, CertificateRequest, Holder, REQUEST_BYTES_MAX, RequestError, SignedDevice,
    UNNAMED_HOLDER, Unnamed,
};
pub use error::AuthorityError;
pub use issue::{DEVICE_DAYS, IssuedDevice};
pub use outside::{KeyCommand, KeyCommandError};
pub use people::{PeopleCertificate, PeopleRoot};
pub use sealed::Passphrase;
pub use server::IssuedCertificate;
