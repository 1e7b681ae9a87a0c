//! What an OpenID Connect provider says of a person, checked.
//!
//! A [`Provider`] is one issuer that an operator configured. It sends a browser there and back
//! (authorization code with PKCE), and checks the JWTs of apps. Whose key a token is signed with
//! and by which algorithm is read from the issuer's own key set, never from the token.
//!
//! It knows no person of ours and keeps nothing but what the issuer published. Start at
//! `provider.rs`; what is refused about a token is in `flaw.rs`.

mod claims;
mod error;
mod flaw;
mod flow;
mod judge;
mod kept;
mod keys;
mod metadata;
mod provider;
mod token;
mod tokens_of_code;

pub use claims::{Claims, Logout};
pub use error::OidcError;
pub use flaw::Flaw;
pub use flow::{Flow, Returned};
pub use keys::KeySet;
pub use metadata::Metadata;
pub use provider::{Provider, ProviderSettings, SignedIn};
pub use token::{issuer_claimed, looks_like_a_token};

/// A person who was asked to prove themselves anew did so within this time.
const FRESH_MS: i64 = 5 * 60_000;
