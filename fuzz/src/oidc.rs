//! The decoders of what identity providers say: `server/oidc`.
//!
//! Tokens come from anybody; what a provider publishes comes from whoever stands there. Claims are
//! signed here, so that damaged ones get past the signature check.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use otaru_oidc::{Flaw, KeySet, Metadata, issuer_claimed, looks_like_a_token};
use serde_json::{Value, json};

use crate::sealed::SEED;

const ISSUER: &str = "https://id.example/realms/otaru";
const CLIENT: &str = "otaru";

/// When tokens are judged; claims in the corpus end a long time after the third.
const TIMES_MS: [i64; 4] = [i64::MIN, 0, 1_795_645_465_000, i64::MAX];

/// A key set as an issuer publishes it.
pub(crate) fn key_set(bytes: &[u8]) -> bool {
    let Some(keys) = KeySet::read(bytes) else { return false };
    assert!(keys.count() <= 100, "so many are read");
    let token = signed(r#"{"alg":"EdDSA"}"#, &claims());
    let checked = check(&keys, &token, TIMES_MS[2]);
    if checked.is_ok() {
        assert_eq!(keys.count(), 1, "a token that names no key means the only one");
    }
    keys.count() > 0
}

/// What an issuer publishes about itself.
pub(crate) fn issuer_metadata(bytes: &[u8]) -> bool {
    let Some(metadata) = Metadata::read(bytes, ISSUER) else { return false };
    for page in metadata.pages().into_iter().flatten() {
        assert!(matches!(page.scheme(), "https" | "http"), "{page}");
    }
    assert!(Metadata::read(bytes, "https://other.example").is_none(), "it is one issuer's");
    true
}

/// A token, as anybody may send it: taken is what can be read, whoever signed it.
pub(crate) fn token(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let _any_answer = (looks_like_a_token(text), issuer_claimed(text));
    let mut is_read = false;
    for now in TIMES_MS {
        let bearer = check(&ours(), text, now);
        let logout = ours().check_logout(text, ISSUER, CLIENT, now).map(|_| ());
        assert!(bearer.is_err() || logout.is_err(), "who signs out does not come in by that");
        is_read = !matches!(bearer, Err(Flaw::Malformed | Flaw::TooLong | Flaw::Critical));
    }
    is_read
}

/// What a token says that our issuer signed: of a person, for us.
pub(crate) fn token_claims(bytes: &[u8]) -> bool {
    let token = signed(r#"{"alg":"EdDSA","kid":"1"}"#, bytes);
    let mut is_taken = false;
    for now in TIMES_MS {
        let audiences = [CLIENT.to_owned()];
        let Ok(claims) = ours().check_bearer(&token, ISSUER, &audiences, now) else { continue };
        assert!(claims.expires_at > now && !claims.subject.is_empty());
        let said: Value = serde_json::from_slice(bytes).expect("it was read");
        assert_eq!((&said["iss"], &said["sub"]), (&json!(ISSUER), &json!(claims.subject)));
        assert!(said.get("events").is_none());
        let email = claims.email().map(str::to_owned);
        assert!(claims.verified_email().is_none_or(|verified| Some(verified) == email.as_deref()));
        let _any_answer = (claims.proven_at(), claims.session(), claims.texts("a.b"));
        is_taken = true;
    }
    is_taken
}

/// What a token says by which our issuer signs somebody out.
pub(crate) fn logout_claims(bytes: &[u8]) -> bool {
    let token = signed(r#"{"alg":"EdDSA","kid":"1","typ":"logout+jwt"}"#, bytes);
    let mut is_taken = false;
    for now in TIMES_MS {
        let Ok(logout) = ours().check_logout(&token, ISSUER, CLIENT, now) else { continue };
        assert!(logout.subject.is_some() || logout.session.is_some());
        assert!(check(&ours(), &token, now).is_err(), "it lets nobody in");
        is_taken = true;
    }
    is_taken
}

fn check(keys: &KeySet, token: &str, now: i64) -> Result<(), Flaw> {
    keys.check_bearer(token, ISSUER, &[CLIENT.to_owned()], now).map(|_| ())
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&SEED)
}

fn ours() -> KeySet {
    let x = URL_SAFE_NO_PAD.encode(key().verifying_key().as_bytes());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x });
    KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).expect("a key set")
}

/// The set with our key, as its issuer would publish it.
pub(crate) fn published() -> Vec<u8> {
    let x = URL_SAFE_NO_PAD.encode(key().verifying_key().as_bytes());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": x });
    json!({ "keys": [key] }).to_string().into_bytes()
}

/// Claims that hold.
pub(crate) fn claims() -> Vec<u8> {
    let claims = json!({
        "iss": ISSUER, "sub": "ada", "aud": CLIENT, "exp": 9_000_000_000_i64, "iat": 0,
        "email": "ada@example.org", "email_verified": true,
    });
    claims.to_string().into_bytes()
}

/// The compact token with this header and payload.
pub(crate) fn signed(header: &str, payload: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key().sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
