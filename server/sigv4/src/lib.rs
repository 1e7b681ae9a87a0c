//! AWS Signature Version 4 as the one who is asked sees it.
//!
//! Reads what a request says about its signature, and whether a secret made it. The request is
//! signed again by AWS's own signer and the two signatures are compared, so that its canonical
//! form is nobody's second reading of the rules. This crate knows no keys, stores nothing and
//! looks at no clock.
//!
//! Start at [`Signed::read`]; then [`Signed::check_time`], then [`Signed::check`].

mod flaw;
mod query;
mod signed;
mod verify;

pub use flaw::Flaw;
pub use signed::Signed;
