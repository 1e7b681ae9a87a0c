//! An issuer's key set (RFC 7517). Each key says itself which one algorithm it is for.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Keys of one set that are read.
const MOST_KEYS: usize = 100;

/// The keys of an issuer that verify signatures.
#[derive(Debug)]
pub struct KeySet(Vec<Key>);

#[derive(Debug)]
pub(crate) struct Key {
    id: Option<String>,
    /// The only one that counts, whatever a token says.
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

/// A set as it is published; a key that cannot be read spoils none of the others.
#[derive(Deserialize)]
pub(crate) struct Published {
    keys: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set as its issuer publishes it; `None` is what is none.
    pub fn read(document: &[u8]) -> Option<KeySet> {
        serde_json::from_slice(document).ok().map(KeySet::of)
    }

    /// How many keys there are that sign something here.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn of(published: Published) -> KeySet {
        let read = |key| serde_json::from_value::<Jwk>(key).ok().and_then(Key::of);
        KeySet(published.keys.into_iter().take(MOST_KEYS).filter_map(read).collect())
    }

    /// The keys that a token may mean: those with the id it names; without one, the only key.
    pub(crate) fn named<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        let is_only = self.0.len() == 1;
        self.0.iter().filter(move |key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => is_only,
        })
    }
}

impl Key {
    /// `None` for keys that sign nothing here: of secrets, for encryption, of other curves.
    fn of(jwk: Jwk) -> Option<Key> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let algorithm = algorithm(&jwk)?;
        let key = match jwk.kty.as_str() {
            "RSA" => DecodingKey::from_rsa_components(jwk.n.as_deref()?, jwk.e.as_deref()?),
            "EC" => DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?),
            _ => DecodingKey::from_ed_components(jwk.x.as_deref()?),
        };
        Some(Key { id: jwk.kid, algorithm, key: key.ok()? })
    }
}

fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let said = jwk.alg.as_deref();
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => match said {
            // What every provider has to have (OpenID Connect Core, 15.1), and some do not name.
            None | Some("RS256") => Some(Algorithm::RS256),
            Some("RS384") => Some(Algorithm::RS384),
            Some("RS512") => Some(Algorithm::RS512),
            Some("PS256") => Some(Algorithm::PS256),
            Some("PS384") => Some(Algorithm::PS384),
            Some("PS512") => Some(Algorithm::PS512),
            Some(_) => None,
        },
        ("EC", Some("P-256")) if matches!(said, None | Some("ES256")) => Some(Algorithm::ES256),
        ("EC", Some("P-384")) if matches!(said, None | Some("ES384")) => Some(Algorithm::ES384),
        ("OKP", Some("Ed25519")) if matches!(said, None | Some("EdDSA" | "Ed25519")) => {
            Some(Algorithm::EdDSA)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(keys: serde_json::Value) -> KeySet {
        KeySet::of(serde_json::from_value(json!({ "keys": keys })).unwrap())
    }

    #[test]
    fn a_key_is_for_one_algorithm_and_it_says_which() {
        let rsa = |alg: Option<&str>| {
            let mut key = json!({ "kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB" });
            if let Some(alg) = alg {
                key["alg"] = alg.into();
            }
            let read = set(json!([key]));
            read.named(Some("1")).next().map(|key| key.algorithm)
        };
        assert_eq!(rsa(None), Some(Algorithm::RS256));
        assert_eq!(rsa(Some("PS512")), Some(Algorithm::PS512));
        for wrong in ["HS256", "none", "ES256", "RSA-OAEP"] {
            assert_eq!(rsa(Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn keys_that_sign_nothing_here_are_left_out() {
        let read = set(json!([
            { "kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256" },
            { "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": "EC", "kid": "odd", "crv": "P-521", "x": "AA", "y": "AA" },
            { "kty": "EC", "kid": "half", "crv": "P-256", "x": "AA" },
            { "kty": "OKP", "kid": "448", "crv": "Ed448", "x": "AA" },
            { "kid": "nothing" },
            "no key",
            { "kty": "EC", "kid": "good", "crv": "P-256", "x": "AA", "y": "AA", "use": "sig" },
        ]));
        let ids: Vec<_> = read.0.iter().map(|key| key.id.as_deref()).collect();
        assert_eq!(ids, [Some("good")]);
    }

    #[test]
    fn a_token_without_a_key_id_means_the_only_key() {
        let one = json!({ "kty": "OKP", "kid": "1", "crv": "Ed25519", "x": "AA" });
        let two = json!({ "kty": "OKP", "kid": "2", "crv": "Ed25519", "x": "AA" });
        let count = |keys, id| set(keys).named(id).count();
        assert_eq!(count(json!([one]), None), 1);
        assert_eq!(count(json!([one, two]), None), 0);
        assert_eq!(count(json!([one, two]), Some("2")), 1);
        assert_eq!(count(json!([one, two]), Some("../2")), 0);
    }
}
