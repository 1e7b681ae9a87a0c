//! Firebase Authentication: its tokens, as its documentation describes them, by configuration.

use otaru_issuer::{Issuer, Key};
use otaru_oidc::{Flaw, Provider, ProviderSettings};
use serde_json::{Value, json};

use crate::{NOW, claims, flaw, outbound};

const PROJECT: &str = "otaru-clocks";

fn firebase(keys: &Issuer) -> Provider {
    let settings = ProviderSettings {
        issuer: format!("https://securetoken.google.com/{PROJECT}"),
        client_id: None,
        client_secret: None,
        scopes: Vec::new(),
        audiences: vec![PROJECT.to_owned()],
        jwks_url: Some(keys.keys_url().parse().unwrap()),
    };
    Provider::new(settings, outbound())
}

fn of_firebase(changes: Value) -> Value {
    let mut all = json!({
        "auth_time": NOW / 1_000 - 60, "user_id": "ada", "email_verified": true,
        "firebase": { "identities": { "email": ["ada@example.org"] }, "sign_in_provider": "password" },
    });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims(&format!("https://securetoken.google.com/{PROJECT}"), PROJECT, all)
}

#[tokio::test]
async fn a_person_of_firebase_is_known() {
    let keys = Issuer::start().await;
    keys.set_key(Key::rsa("f1"));
    let provider = firebase(&keys);
    let read = provider.check_bearer(&keys.sign(&of_firebase(json!({}))), NOW).await.unwrap();
    assert_eq!(read.subject, "ada");
    assert_eq!(read.verified_email(), Some("ada@example.org"));
    assert_eq!(read.texts("firebase.sign_in_provider"), ["password"]);
    assert!(!provider.has_sign_in(), "nobody is sent there with a browser");
}

#[tokio::test]
async fn another_project_is_another_issuer() {
    let keys = Issuer::start().await;
    keys.set_key(Key::rsa("f1"));
    let provider = firebase(&keys);
    // Every project's tokens are signed with the same keys.
    let other = "https://securetoken.google.com/another";
    let token = keys.sign(&of_firebase(json!({ "iss": other, "aud": "another" })));
    assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Issuer);
    let token = keys.sign(&of_firebase(json!({ "aud": "another" })));
    assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Audience);
}
