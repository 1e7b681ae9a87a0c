use otaru_issuer::{CLIENT, Issuer};
use otaru_oidc::Flaw;
use serde_json::{Value, json};

use crate::{NOW, claims, flaw, provider};

fn logout(issuer: &Issuer, changes: Value) -> String {
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let mut all = json!({ "events": events, "jti": "1", "sid": "s1", "email": null });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    issuer.sign(&claims(issuer.url(), CLIENT, all))
}

#[tokio::test]
async fn a_provider_says_who_signed_out() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let told = provider.check_logout(&logout(&issuer, json!({})), NOW).await.unwrap();
    assert_eq!((told.subject.as_deref(), told.session.as_deref()), (Some("ada"), Some("s1")));
    let endless = logout(&issuer, json!({ "exp": null }));
    assert!(provider.check_logout(&endless, NOW).await.is_ok());
}

#[tokio::test]
async fn nothing_else_signs_anybody_out() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let s = NOW / 1_000;
    let table = [
        (json!({ "events": {} }), Flaw::Kind),
        (json!({ "events": null }), Flaw::Kind),
        (json!({ "nonce": "n" }), Flaw::Kind),
        (json!({ "aud": "another" }), Flaw::Audience),
        (json!({ "iss": "https://evil.example" }), Flaw::Issuer),
        (json!({ "exp": s }), Flaw::Expired),
        (json!({ "exp": null, "iat": s - 301 }), Flaw::Expired),
        (json!({ "exp": null, "iat": null }), Flaw::Expired),
        (json!({ "sub": null, "sid": null }), Flaw::Subject),
    ];
    for (changes, expected) in table {
        let token = logout(&issuer, changes.clone());
        assert_eq!(flaw(provider.check_logout(&token, NOW).await), expected, "{changes}");
    }
}
