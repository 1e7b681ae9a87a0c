//! A provider's word, and every way to forge it: against an issuer of the test's own.

mod bearer;
mod code;
mod firebase;
mod keys;
mod logout;

use otaru_issuer::{CLIENT, Issuer, SECRET};
use otaru_oidc::{Flaw, OidcError, Provider, ProviderSettings};
use otaru_outbound::{Outbound, OutboundSettings};
use serde_json::{Value, json};

/// When the tests are: 2026-11-23 12:00 UTC.
const NOW_S: i64 = 1_795_435_200;
const NOW: i64 = NOW_S * 1_000;

/// An app's audience.
const APP: &str = "otaru-app";

fn outbound() -> Outbound {
    let private_hosts = vec!["127.0.0.1".to_owned()];
    Outbound::new(&OutboundSettings { private_hosts }).unwrap()
}

fn settings(issuer: &str) -> ProviderSettings {
    ProviderSettings {
        issuer: issuer.to_owned(),
        client_id: Some(CLIENT.to_owned()),
        client_secret: Some(SECRET.to_owned().into()),
        scopes: vec!["email".to_owned()],
        audiences: vec![APP.to_owned()],
        jwks_url: None,
    }
}

fn provider(issuer: &Issuer) -> Provider {
    Provider::new(settings(issuer.url()), outbound())
}

/// Claims of Ada that hold, with other members put over them; those that are null are left out.
fn claims(issuer: &str, audience: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "aud": audience, "sub": "ada",
        "iat": NOW_S, "exp": NOW_S + 600, "email": "ada@example.org",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn flaw<T>(outcome: Result<T, OidcError>) -> Flaw {
    match outcome {
        Err(OidcError::Refused(flaw)) => flaw,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was taken"),
    }
}
