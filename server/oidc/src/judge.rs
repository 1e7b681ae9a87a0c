//! What is held against a token whose signature holds, by its kind. Pure: nobody is asked.

use serde_json::{Map, Value};

use crate::claims::{Claims, Logout, audiences, text};
use crate::keys::KeySet;
use crate::token::Unverified;
use crate::{FRESH_MS, Flaw};

/// The member that makes a token one of signing out.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

impl KeySet {
    /// Who a token is of that an app brought: one of `issuer`, whose keys these are, for one of
    /// `audiences`.
    pub fn check_bearer(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[String],
        now: i64,
    ) -> Result<Claims, Flaw> {
        let unverified = Unverified::read(token)?;
        Claims::of_bearer(&unverified, unverified.verify(self)?, issuer, audiences, now)
    }

    /// Who signed out, by the word of `issuer`, whose keys these are, to `client`.
    pub fn check_logout(
        &self,
        token: &str,
        issuer: &str,
        client: &str,
        now: i64,
    ) -> Result<Logout, Flaw> {
        Logout::of(Unverified::read(token)?.verify(self)?, issuer, client, now)
    }
}

impl Unverified<'_> {
    /// A token that says that somebody signed out lets nobody in.
    pub(crate) fn refuse_logout(&self, members: &Map<String, Value>) -> Result<(), Flaw> {
        let kind = self.kind.as_deref();
        let is_logout = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("logout+jwt"));
        if is_logout || members.contains_key("events") { Err(Flaw::Kind) } else { Ok(()) }
    }
}

impl Claims {
    pub(crate) fn of_bearer(
        token: &Unverified<'_>,
        members: Map<String, Value>,
        issuer: &str,
        audiences: &[String],
        now: i64,
    ) -> Result<Claims, Flaw> {
        token.refuse_logout(&members)?;
        let claims = Claims::of(members, issuer, now)?;
        match claims.is_for(|audience| audiences.iter().any(|wanted| wanted == audience)) {
            true => Ok(claims),
            false => Err(Flaw::Audience),
        }
    }
}

impl Logout {
    pub(crate) fn of(
        members: Map<String, Value>,
        issuer: &str,
        client: &str,
        now: i64,
    ) -> Result<Logout, Flaw> {
        let is_one = members.get("events").is_some_and(|events| events.get(LOGOUT_EVENT).is_some());
        if !is_one || members.contains_key("nonce") {
            return Err(Flaw::Kind);
        }
        if text(&members, "iss") != Some(issuer) {
            return Err(Flaw::Issuer);
        }
        if !audiences(&members).contains(&client) {
            return Err(Flaw::Audience);
        }
        // Old ones are of no use to anybody, and some providers set no end.
        let time = |name: &str| {
            let seconds = members.get(name).and_then(Value::as_i64);
            seconds.map(|seconds| seconds.saturating_mul(1_000))
        };
        let ends_at = time("exp").or(time("iat").map(|made_at| made_at.saturating_add(FRESH_MS)));
        if ends_at.is_none_or(|ends_at| ends_at <= now) {
            return Err(Flaw::Expired);
        }
        let named = |name| text(&members, name).map(str::to_owned);
        let logout = Logout { subject: named("sub"), session: named("sid") };
        match logout.subject.is_some() || logout.session.is_some() {
            true => Ok(logout),
            false => Err(Flaw::Subject),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn logout(times: Value) -> Result<Logout, Flaw> {
        let mut members = json!({
            "iss": "https://id.example",
            "aud": "otaru",
            "sub": "ada",
            "events": { LOGOUT_EVENT: {} },
        });
        members.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        let members = members.as_object().unwrap().clone();
        Logout::of(members, "https://id.example", "otaru", 1_000_000)
    }

    #[test]
    fn the_end_of_time_is_a_time() {
        assert!(logout(json!({ "exp": i64::MAX })).is_ok());
        assert!(logout(json!({ "iat": i64::MAX })).is_ok());
        assert_eq!(logout(json!({ "exp": i64::MIN })), Err(Flaw::Expired));
        assert_eq!(logout(json!({ "iat": i64::MIN })), Err(Flaw::Expired));
        assert_eq!(logout(json!({})), Err(Flaw::Expired));
    }
}
