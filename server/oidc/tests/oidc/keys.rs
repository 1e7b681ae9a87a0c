use otaru_issuer::{Issuer, Key};
use otaru_oidc::{Flaw, OidcError};
use serde_json::json;

use crate::{APP, NOW, claims, flaw, provider};

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn keys_are_asked_for_once_and_again_for_one_that_is_new() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let lasting = json!({ "exp": NOW / 1_000 + 86_400 });
    let old = issuer.sign(&claims(issuer.url(), APP, lasting.clone()));
    for _ in 0..20 {
        provider.check_bearer(&old, NOW).await.unwrap();
    }
    assert_eq!(issuer.keys_asked(), 1);
    issuer.set_key(Key::ed25519("second"));
    let new = issuer.sign(&claims(issuer.url(), APP, lasting));
    assert_eq!(flaw(provider.check_bearer(&new, NOW + 1).await), Flaw::KeyUnknown);
    provider.check_bearer(&new, NOW + MINUTE).await.unwrap();
    assert_eq!(issuer.keys_asked(), 2);
    assert_eq!(flaw(provider.check_bearer(&old, NOW + MINUTE).await), Flaw::KeyUnknown);
}

#[tokio::test]
async fn made_up_key_ids_make_nobody_ask() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    for number in 0..50 {
        let header = json!({ "alg": "ES256", "kid": number.to_string() });
        let token = issuer.sign_with(&header, &claims(issuer.url(), APP, json!({})));
        assert_eq!(flaw(provider.check_bearer(&token, NOW + number).await), Flaw::KeyUnknown);
    }
    assert_eq!(issuer.keys_asked(), 1);
}

#[tokio::test]
async fn a_key_that_is_published_no_more_ends_within_the_hour() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let token = issuer.sign(&claims(issuer.url(), APP, json!({ "exp": NOW / 1_000 + 86_400 })));
    provider.check_bearer(&token, NOW).await.unwrap();
    issuer.set_key(Key::ed25519("second"));
    provider.check_bearer(&token, NOW + 59 * MINUTE).await.unwrap();
    let later = provider.check_bearer(&token, NOW + 60 * MINUTE).await;
    assert_eq!(flaw(later), Flaw::KeyUnknown);
}

#[tokio::test]
async fn known_keys_outlive_an_issuer_that_is_away() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let token = issuer.sign(&claims(issuer.url(), APP, json!({ "exp": NOW / 1_000 + 86_400 })));
    issuer.set_away(true);
    let first = provider.check_bearer(&token, NOW).await;
    assert!(matches!(first, Err(OidcError::Outbound(_))), "{first:?}");
    issuer.set_away(false);
    provider.check_bearer(&token, NOW + MINUTE).await.unwrap();
    issuer.set_away(true);
    provider.check_bearer(&token, NOW + 120 * MINUTE).await.unwrap();
}

#[tokio::test]
async fn what_calls_itself_otherwise_is_another_issuer() {
    let issuer = Issuer::start().await;
    issuer.describe(json!({ "issuer": format!("{}/", issuer.url()) }));
    let token = issuer.sign(&claims(issuer.url(), APP, json!({})));
    let refused = provider(&issuer).check_bearer(&token, NOW).await;
    assert!(matches!(refused, Err(OidcError::OtherIssuer { .. })), "{refused:?}");
}

#[tokio::test]
async fn keys_are_not_fetched_from_inside_the_network() {
    for keys in ["http://10.0.0.1/keys", "https://169.254.169.254/latest/", "file:///etc/passwd"] {
        let issuer = Issuer::start().await;
        issuer.describe(json!({ "jwks_uri": keys }));
        let token = issuer.sign(&claims(issuer.url(), APP, json!({})));
        let refused = provider(&issuer).check_bearer(&token, NOW).await;
        assert!(matches!(refused, Err(OidcError::Outbound(_))), "{refused:?}");
    }
}
