use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use otaru_wire::Digest;

use crate::OperationError;

const BYTES: usize = 32;

/// A random text of 256 bits that opens something: a session, or for once a link. Whoever has
/// it is let in; what is stored is its digest. Never printed by accident: it has no `Debug`.
pub struct SecretCode(String);

impl SecretCode {
    pub(crate) fn random() -> Result<SecretCode, OperationError> {
        let mut bytes = [0_u8; BYTES];
        getrandom::fill(&mut bytes).map_err(|_| OperationError::Random)?;
        Ok(SecretCode(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text itself, for the one who may have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> String {
        digest_of(&self.0)
    }
}

/// What is stored for a code somebody sent. A digest needs no comparison in constant time:
/// nobody can choose what theirs begins with.
pub(crate) fn digest_of(code: &str) -> String {
    Digest::of(code.trim().as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_long_random_and_known_by_its_digest() {
        let (one, other) = (SecretCode::random().unwrap(), SecretCode::random().unwrap());
        assert_eq!(one.as_str().len(), 43);
        assert_ne!(one.as_str(), other.as_str());
        assert_eq!(digest_of(&format!(" {}\n", one.as_str())), one.digest());
    }
}
