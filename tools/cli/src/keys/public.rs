//! Public keys in files: our own text, or the PEM that other tools write.

use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_release::{Algorithm, PublicKey};

/// What DER writes before the bytes of a public key (RFC 8410, RFC 5480).
const PREFIXES: [(Algorithm, &[u8]); 2] = [
    (Algorithm::Ed25519, &[0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]),
    (
        Algorithm::P256,
        &[
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
            0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ],
    ),
];

/// The public key in a file such as `root.pub`, or in one of PEM.
pub(crate) fn read_public_key(path: &Path) -> Result<PublicKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read {}", path.display()))?;
    if let Some(key) = from_pem(&text) {
        return Ok(key);
    }
    PublicKey::from_file(&text).with_context(|| format!("could not use {}", path.display()))
}

/// The public key that a text is, if it is one.
pub(crate) fn public_key_of(text: &str) -> Option<PublicKey> {
    from_pem(text).or_else(|| PublicKey::from_file(text).ok())
}

fn from_pem(text: &str) -> Option<PublicKey> {
    let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(body).ok()?;
    PREFIXES
        .iter()
        .find_map(|(algorithm, prefix)| PublicKey::of(*algorithm, der.strip_prefix(*prefix)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_of_other_tools_is_read() {
        let of = |pem: &str| from_pem(pem).map(|key| key.to_string());
        // RFC 8410 §10.1.
        let ed25519 = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----\n";
        let expected = "ed25519:19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        assert_eq!(of(ed25519).as_deref(), Some(expected));
        let key = otaru_release::SecretKey::from_p256_scalar(&[7; 32]).unwrap().public_key();
        let der = [PREFIXES[1].1, &key.to_bytes()].concat();
        let body = STANDARD.encode(der);
        let (first, second) = body.split_at(64);
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n");
        assert_eq!(of(&pem), Some(key.to_string()));
        assert_eq!(of(&pem.replace("PUBLIC", "PRIVATE")), None);
        assert_eq!(of("ed25519:00"), None);
    }
}
