use serde_json::{Map, Value};

use crate::Flaw;

/// Longest subject (OpenID Connect Core, 2).
const SUBJECT_BYTES: usize = 255;

/// Longest e-mail address (RFC 5321, 4.5.3.1.3).
const EMAIL_BYTES: usize = 254;

/// Clocks differ: a token may be from so far in the future.
const LEEWAY_S: i64 = 60;

/// What an issuer says of somebody, verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Who, for this issuer and for ever.
    pub subject: String,
    /// When the token ends, in milliseconds since the epoch.
    pub expires_at: i64,
    /// When it was made; 0 where it does not say.
    pub issued_at: i64,
    pub(crate) members: Map<String, Value>,
}

/// An issuer says that somebody signed out (OpenID Connect Back-Channel Logout 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// Who.
    pub subject: Option<String>,
    /// Of which of the provider's sessions.
    pub session: Option<String>,
}

impl Claims {
    /// Reads and checks what is the same in every kind of token.
    pub(crate) fn of(members: Map<String, Value>, issuer: &str, now: i64) -> Result<Claims, Flaw> {
        if text(&members, "iss") != Some(issuer) {
            return Err(Flaw::Issuer);
        }
        let expires_at_s = seconds(&members, "exp").ok_or(Flaw::Expired)?;
        let expires_at = expires_at_s.saturating_mul(1_000);
        if expires_at <= now {
            return Err(Flaw::Expired);
        }
        let soon = now / 1_000 + LEEWAY_S;
        let issued_at_s = seconds(&members, "iat");
        let begins = [seconds(&members, "nbf"), issued_at_s, seconds(&members, "auth_time")];
        if begins.into_iter().flatten().any(|begins| begins > soon) {
            return Err(Flaw::NotYetValid);
        }
        let subject = text(&members, "sub").unwrap_or_default();
        let is_subject = !subject.is_empty()
            && subject.len() <= SUBJECT_BYTES
            && !subject.contains(char::is_control);
        if !is_subject {
            return Err(Flaw::Subject);
        }
        let subject = subject.to_owned();
        let issued_at = issued_at_s.unwrap_or(0).saturating_mul(1_000);
        Ok(Claims { subject, expires_at, issued_at, members })
    }

    /// Whether it is for one of these.
    pub(crate) fn is_for(&self, wanted: impl Fn(&str) -> bool) -> bool {
        audiences(&self.members).into_iter().any(wanted)
    }

    /// Refuses a token that was made for others beside us and given to one of them.
    pub(crate) fn check_party(&self, client: &str) -> Result<(), Flaw> {
        let party = text(&self.members, "azp");
        let is_ours = match party {
            Some(party) => party == client,
            None => audiences(&self.members).len() == 1,
        };
        if is_ours { Ok(()) } else { Err(Flaw::AuthorizedParty) }
    }

    /// The e-mail address, if the issuer says that it verified it.
    pub fn verified_email(&self) -> Option<&str> {
        let verified = match self.members.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            // As some providers write it.
            Some(Value::String(verified)) => verified == "true",
            _ => false,
        };
        self.email().filter(|_| verified)
    }

    /// The e-mail address, verified or not: to be shown, never to know somebody by.
    pub fn email(&self) -> Option<&str> {
        let is_one = |email: &&str| {
            (1..=EMAIL_BYTES).contains(&email.len()) && !email.contains(char::is_control)
        };
        text(&self.members, "email").filter(is_one)
    }

    /// When the person last proved themselves to the provider.
    pub fn proven_at(&self) -> Option<i64> {
        seconds(&self.members, "auth_time").map(|at| at.saturating_mul(1_000))
    }

    /// Which of the provider's sessions it is of.
    pub fn session(&self) -> Option<&str> {
        text(&self.members, "sid")
    }

    /// The texts of a claim, which may lie within another: `groups`, `realm_access.roles`.
    pub fn texts(&self, claim: &str) -> Vec<&str> {
        // Some are named by URLs, which have dots.
        let whole = self.members.get(claim);
        let value = whole.or_else(|| {
            let mut names = claim.split('.');
            let first = self.members.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name))
        });
        match value {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

pub(crate) fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

/// A time, which may have a fraction.
fn seconds(members: &Map<String, Value>, name: &str) -> Option<i64> {
    let number = members.get(name)?.as_number()?;
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))
}

pub(crate) fn audiences(members: &Map<String, Value>) -> Vec<&str> {
    match members.get("aud") {
        Some(Value::String(audience)) => vec![audience],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(more: Value) -> Result<Claims, Flaw> {
        let mut members = json!({ "iss": "https://id.example", "sub": "ada", "exp": 2_000 });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Claims::of(members.as_object().unwrap().clone(), "https://id.example", 1_000_000)
    }

    #[test]
    fn what_does_not_hold_is_told_apart() {
        let flaw = |more| claims(more).unwrap_err();
        assert!(claims(json!({})).is_ok());
        assert_eq!(flaw(json!({ "iss": "https://id.example/" })), Flaw::Issuer);
        assert_eq!(flaw(json!({ "iss": ["https://id.example"] })), Flaw::Issuer);
        assert_eq!(flaw(json!({ "exp": 1_000 })), Flaw::Expired);
        assert_eq!(flaw(json!({ "exp": "2000" })), Flaw::Expired);
        assert_eq!(flaw(json!({ "exp": null })), Flaw::Expired);
        assert_eq!(flaw(json!({ "nbf": 1_061 })), Flaw::NotYetValid);
        assert_eq!(flaw(json!({ "iat": 1_061 })), Flaw::NotYetValid);
        assert_eq!(flaw(json!({ "auth_time": 1_061 })), Flaw::NotYetValid);
        assert!(claims(json!({ "nbf": 1_060, "iat": 1_060.5 })).is_ok());
        for wrong in [json!(""), json!(7), json!("a".repeat(256)), json!("a\nb")] {
            assert_eq!(flaw(json!({ "sub": wrong })), Flaw::Subject);
        }
    }

    #[test]
    fn an_address_counts_when_it_is_verified() {
        let verified = |more| claims(more).unwrap().verified_email().map(str::to_owned);
        let ada = Some("ada@x.org".to_owned());
        assert_eq!(verified(json!({ "email": "ada@x.org", "email_verified": true })), ada);
        assert_eq!(verified(json!({ "email": "ada@x.org", "email_verified": "true" })), ada);
        for not in [json!(false), json!("false"), json!(1), json!(null)] {
            assert_eq!(verified(json!({ "email": "ada@x.org", "email_verified": not })), None);
        }
        assert_eq!(verified(json!({ "email": "ada@x.org" })), None);
    }

    #[test]
    fn a_claim_may_lie_within_another() {
        let claims = claims(json!({
            "groups": ["a", "b", 7],
            "realm_access": { "roles": ["admin"] },
            "https://x.org/roles": "one",
        }));
        let claims = claims.unwrap();
        assert_eq!(claims.texts("groups"), ["a", "b"]);
        assert_eq!(claims.texts("realm_access.roles"), ["admin"]);
        assert_eq!(claims.texts("https://x.org/roles"), ["one"]);
        assert!(claims.texts("realm_access.none").is_empty() && claims.texts("").is_empty());
    }

    #[test]
    fn a_token_for_several_says_whom_it_was_given_to() {
        let party = |more| claims(more).unwrap().check_party("otaru");
        assert_eq!(party(json!({ "aud": "otaru" })), Ok(()));
        assert_eq!(party(json!({ "aud": ["otaru", "other"], "azp": "otaru" })), Ok(()));
        let refused = Err(Flaw::AuthorizedParty);
        assert_eq!(party(json!({ "aud": ["otaru", "other"] })), refused);
        assert_eq!(party(json!({ "aud": ["otaru"], "azp": "other" })), refused);
    }
}
