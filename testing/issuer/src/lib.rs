//! An OpenID Connect provider of one test's own, on this machine.
//!
//! It says whatever a test wants it to say, honest or not, and it is strict about what it is
//! asked: a code is taken once, with its verifier, by its client. It signs with code that the
//! server does not use. A real provider is in `testing/oidc-provider`.

mod endpoints;
mod issuer;
mod key;

pub use issuer::{CLIENT, Issuer, SECRET};
pub use key::{Key, forged};
