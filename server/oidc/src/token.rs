//! A JWT as it came: what may be read of it before its signature is checked, and the check.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Validation, decode};
use serde_json::{Map, Value};

use crate::Flaw;
use crate::claims::text;
use crate::keys::KeySet;

/// Some providers list every group of a person.
const MOST_BYTES: usize = 16 * 1024;

/// Whether a text is shaped as a JWT, which begins with a JSON object: whatever else it is, it
/// is none of our own tokens.
pub fn looks_like_a_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The issuer that a token claims: it says whom to ask about it, and nothing else.
pub fn issuer_claimed(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1).filter(|_| token.len() <= MOST_BYTES)?;
    text(&object(payload)?, "iss").map(str::to_owned)
}

/// A token of which nothing is believed yet.
pub(crate) struct Unverified<'a> {
    token: &'a str,
    /// The id of a key in the issuer's own set. Keys, and places to find some, that a header
    /// brings along (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
    pub(crate) key: Option<String>,
    pub(crate) kind: Option<String>,
}

impl Unverified<'_> {
    pub(crate) fn read(token: &str) -> Result<Unverified<'_>, Flaw> {
        if token.len() > MOST_BYTES {
            return Err(Flaw::TooLong);
        }
        let header = token.split('.').next().and_then(object).ok_or(Flaw::Malformed)?;
        if header.contains_key("crit") {
            return Err(Flaw::Critical);
        }
        let named = |name| text(&header, name).map(str::to_owned);
        let key = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Flaw::Malformed),
        };
        Ok(Unverified { token, key, kind: named("typ") })
    }

    /// What it says, if one of these keys signed it by the algorithm that the key is for.
    pub(crate) fn verify(&self, keys: &KeySet) -> Result<Map<String, Value>, Flaw> {
        let mut flaw = Flaw::KeyUnknown;
        for key in keys.named(self.key.as_deref()) {
            let mut validation = Validation::new(key.algorithm);
            // Claims are checked with the time that we are given, in `claims.rs`.
            validation.validate_exp = false;
            validation.validate_aud = false;
            validation.required_spec_claims.clear();
            match decode::<Map<String, Value>>(self.token, &key.key, &validation) {
                Ok(verified) => return Ok(verified.claims),
                Err(_) => flaw = Flaw::Signature,
            }
        }
        Err(flaw)
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn a_token_is_told_from_our_own() {
        assert!(looks_like_a_token("eyJhbGciOiJub25lIn0.e30."));
        for other in ["otaru_0123_4567", "eyJ", "eyJ.e30", "eyJ.a.b.c", ""] {
            assert!(!looks_like_a_token(other), "{other}");
        }
    }

    #[test]
    fn the_issuer_is_read_and_nothing_breaks_on_what_is_none() {
        let claimed = |payload: &str| issuer_claimed(&format!("eyJ.{}.x", part(payload)));
        assert_eq!(
            claimed(r#"{"iss":"https://id.example"}"#).as_deref(),
            Some("https://id.example")
        );
        for wrong in ["{}", r#"{"iss":7}"#, "[]", "", "\u{0}"] {
            assert_eq!(claimed(wrong), None, "{wrong}");
        }
        assert_eq!(issuer_claimed("a"), None);
        assert_eq!(issuer_claimed("a.!.c"), None);
    }

    #[test]
    fn a_header_that_cannot_be_followed_is_refused() {
        let flaw = |header: &str| {
            Unverified::read(&format!("{}.e30.x", part(header))).map(|_| ()).unwrap_err()
        };
        assert_eq!(flaw(r#"{"alg":"RS256","crit":["exp"]}"#), Flaw::Critical);
        assert_eq!(flaw(r#"{"alg":"RS256","kid":7}"#), Flaw::Malformed);
        assert_eq!(flaw("no JSON"), Flaw::Malformed);
        let long = format!("{}.e30.x", part(&format!(r#"{{"x":"{}"}}"#, "a".repeat(MOST_BYTES))));
        assert_eq!(Unverified::read(&long).map(|_| ()).unwrap_err(), Flaw::TooLong);
    }
}
