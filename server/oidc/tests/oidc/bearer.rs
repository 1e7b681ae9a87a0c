use otaru_issuer::{Issuer, Key, forged};
use otaru_oidc::Flaw;
use serde_json::{Value, json};

use crate::{APP, NOW, claims, flaw, provider};

#[tokio::test]
async fn keys_of_every_kind_sign() {
    for key in [Key::rsa("k"), Key::p256("k"), Key::ed25519("k")] {
        let issuer = Issuer::start().await;
        let algorithm = key.algorithm();
        issuer.set_key(key);
        let token = issuer.sign(&claims(issuer.url(), APP, json!({})));
        let read = provider(&issuer).check_bearer(&token, NOW).await.expect(algorithm);
        assert_eq!((read.subject.as_str(), read.expires_at), ("ada", NOW + 600_000));
    }
}

#[tokio::test]
async fn no_algorithm_is_none() {
    let issuer = Issuer::start().await;
    let (provider, claims) = (provider(&issuer), claims(issuer.url(), APP, json!({})));
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for secret in [None, Some(b"".as_slice())] {
            let header = json!({ "typ": "JWT", "alg": alg, "kid": "first" });
            let token = forged(&header, &claims, secret);
            assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Signature, "{alg}");
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    for key in [Key::rsa("first"), Key::p256("first")] {
        let issuer = Issuer::start().await;
        issuer.set_key(key);
        let (provider, claims) = (provider(&issuer), claims(issuer.url(), APP, json!({})));
        for alg in ["HS256", "RS256", "ES256"] {
            let header = json!({ "alg": alg, "kid": "first" });
            let token = forged(&header, &claims, Some(&issuer.public_bytes()));
            assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Signature, "{alg}");
        }
    }
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key() {
    let issuer = Issuer::start().await;
    issuer.set_key(Key::rsa("first"));
    let (provider, claims) = (provider(&issuer), claims(issuer.url(), APP, json!({})));
    // Signed as RS256, said to be another of the same key's kind.
    for alg in ["RS384", "RS512", "PS256", "HS256", "ES256", "EdDSA"] {
        let token = issuer.sign_with(&json!({ "alg": alg, "kid": "first" }), &claims);
        assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Signature, "{alg}");
    }
}

#[tokio::test]
async fn a_key_that_a_token_brings_along_is_not_looked_at() {
    let (issuer, thief) = (Issuer::start().await, Issuer::start().await);
    let (provider, claims) = (provider(&issuer), claims(issuer.url(), APP, json!({})));
    let own = Key::p256("first");
    let jwk = own.jwk();
    thief.set_key(own);
    let url = thief.keys_url();
    for more in [
        json!({ "jwk": jwk }),
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jku": url, "jwk": jwk, "x5u": url }),
    ] {
        let mut header = json!({ "alg": "ES256", "kid": "first" });
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let token = thief.sign_with(&header, &claims);
        assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Signature, "{more}");
    }
    assert_eq!(thief.keys_asked(), 0);
}

#[tokio::test]
async fn a_key_id_is_a_name_and_nothing_else() {
    let issuer = Issuer::start().await;
    let (provider, claims) = (provider(&issuer), claims(issuer.url(), APP, json!({})));
    for kid in [
        "../../../../dev/null",
        "/proc/sys/kernel/randomize_va_space",
        "' UNION SELECT 'secret' --",
        "http://127.0.0.1:1/keys",
        "first\u{0}",
        "FIRST",
        "",
    ] {
        let token = issuer.sign_with(&json!({ "alg": "ES256", "kid": kid }), &claims);
        assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::KeyUnknown, "{kid}");
        let secret = forged(&json!({ "alg": "HS256", "kid": kid }), &claims, Some(b""));
        assert_eq!(flaw(provider.check_bearer(&secret, NOW).await), Flaw::KeyUnknown, "{kid}");
    }
    for kid in [json!(7), json!(null), json!(["first"]), json!({})] {
        let token = issuer.sign_with(&json!({ "alg": "ES256", "kid": kid }), &claims);
        assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Malformed, "{kid}");
    }
}

#[tokio::test]
async fn the_key_of_another_issuer_signs_nothing() {
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let provider = provider(&issuer);
    // Its key has the same name, and it says it was the other.
    let token = other.sign(&claims(issuer.url(), APP, json!({})));
    assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Signature);
    let token = issuer.sign(&claims(other.url(), APP, json!({})));
    assert_eq!(flaw(provider.check_bearer(&token, NOW).await), Flaw::Issuer);
}

#[tokio::test]
async fn claims_that_do_not_hold_are_told_apart() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let s = NOW / 1_000;
    let logout = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let table: [(Value, Flaw); 10] = [
        (json!({ "aud": "another" }), Flaw::Audience),
        (json!({ "aud": ["another", "otaru-app2"] }), Flaw::Audience),
        (json!({ "aud": null }), Flaw::Audience),
        (json!({ "exp": s }), Flaw::Expired),
        (json!({ "exp": null }), Flaw::Expired),
        (json!({ "nbf": s + 61 }), Flaw::NotYetValid),
        (json!({ "iat": s + 61 }), Flaw::NotYetValid),
        (json!({ "sub": null }), Flaw::Subject),
        (json!({ "iss": "https://evil.example" }), Flaw::Issuer),
        (json!({ "events": logout }), Flaw::Kind),
    ];
    for (changes, expected) in table {
        let token = issuer.sign(&claims(issuer.url(), APP, changes.clone()));
        assert_eq!(flaw(provider.check_bearer(&token, NOW).await), expected, "{changes}");
    }
    let several = issuer.sign(&claims(issuer.url(), APP, json!({ "aud": ["another", APP] })));
    assert!(provider.check_bearer(&several, NOW).await.is_ok());
}

#[tokio::test]
async fn the_browsers_own_token_lets_no_app_in() {
    let issuer = Issuer::start().await;
    let token = issuer.sign(&claims(issuer.url(), otaru_issuer::CLIENT, json!({})));
    assert_eq!(flaw(provider(&issuer).check_bearer(&token, NOW).await), Flaw::Audience);
}

#[tokio::test]
async fn a_token_that_was_changed_is_no_one() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let token = issuer.sign(&claims(issuer.url(), APP, json!({})));
    let other = issuer.sign(&claims(issuer.url(), APP, json!({ "sub": "bo" })));
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (one, two) = (parts(&token), parts(&other));
    let mixed = [one[0].as_str(), &two[1], &one[2]].join(".");
    assert_eq!(flaw(provider.check_bearer(&mixed, NOW).await), Flaw::Signature);
    for short in [format!("{}.{}.", one[0], one[1]), format!("{}..{}", one[0], one[2])] {
        assert_eq!(flaw(provider.check_bearer(&short, NOW).await), Flaw::Signature);
    }
    for none in ["", "a", "a.b.c", "..", &format!("{token}.{token}"), &"a".repeat(20_000)] {
        assert!(provider.check_bearer(none, NOW).await.is_err());
    }
}
