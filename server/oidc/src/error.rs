use otaru_outbound::OutboundError;

use crate::Flaw;

/// Why nobody was known by a provider.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The token does not hold.
    #[error("the token is refused: {0}")]
    Refused(#[from] Flaw),
    /// The provider could not be asked.
    #[error("could not ask the provider")]
    Outbound(#[from] OutboundError),
    /// It did not answer shortly before, and is left alone for a moment.
    #[error("the provider did not answer a moment ago")]
    Silent,
    /// It calls itself something else.
    #[error("the issuer calls itself {found}, not {expected}")]
    OtherIssuer {
        /// What it calls itself.
        found: String,
        /// What is configured.
        expected: String,
    },
    /// Its description cannot be used.
    #[error("the provider's description has no usable {0}")]
    Lacks(&'static str),
    /// It sent the browser back with a refusal.
    #[error("the provider refused: {0}")]
    Declined(String),
    /// It does not give a token for the code.
    #[error("the provider does not take the code: {0}")]
    CodeRefused(String),
    /// The answer that came back is of another provider.
    #[error("another provider answered")]
    MixedUp,
    /// The machine has no randomness to give.
    #[error("could not get random bytes")]
    Random,
}

impl OidcError {
    /// Whether it is the provider that does not work, not who asks.
    pub fn is_outage(&self) -> bool {
        match self {
            OidcError::Outbound(_)
            | OidcError::Silent
            | OidcError::OtherIssuer { .. }
            | OidcError::Lacks(_)
            | OidcError::Random => true,
            OidcError::Refused(_)
            | OidcError::Declined(_)
            | OidcError::CodeRefused(_)
            | OidcError::MixedUp => false,
        }
    }
}
