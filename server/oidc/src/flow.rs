use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::OidcError;

const RANDOM_BYTES: usize = 32;

/// One way of a browser to a provider and back: what only the browser that began it has.
#[derive(Clone, Serialize, Deserialize)]
pub struct Flow {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back within the token.
    pub nonce: String,
    /// Proves to the provider that who redeems the code is who began (RFC 7636).
    pub verifier: String,
    /// Whether the person has to prove themselves anew.
    pub is_fresh: bool,
}

impl Flow {
    /// A new one.
    ///
    /// # Errors
    /// [`OidcError::Random`].
    pub fn begin(is_fresh: bool) -> Result<Flow, OidcError> {
        Ok(Flow { state: random()?, nonce: random()?, verifier: random()?, is_fresh })
    }

    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

fn random() -> Result<String, OidcError> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| OidcError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a browser brought back from a provider.
#[derive(Clone, Default)]
pub struct Returned {
    /// To be redeemed for a token.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who answered (RFC 9207).
    pub issuer: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let flow = Flow { verifier, ..Flow::begin(false).unwrap() };
        assert_eq!(flow.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn nothing_of_two_flows_is_the_same() {
        let (one, other) = (Flow::begin(false).unwrap(), Flow::begin(false).unwrap());
        assert_eq!(one.verifier.len(), 43);
        assert!(one.state != other.state && one.nonce != other.nonce);
        assert!(one.verifier != other.verifier && one.state != one.nonce);
    }
}
