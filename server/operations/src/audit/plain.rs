//! Values as the log keeps them: without secrets, of bounded length, and in canonical JSON whose
//! numbers everybody reads alike.

use otaru_wire::Digest;
use otaru_wire::audit::{canonical, plain_number};
use serde_json::{Value, json};

/// Most bytes of what something was, or became; of more a digest is kept.
const MOST_BYTES: usize = 32 * 1024;

/// What a member is called that nobody else is to read; part of its name, in any case.
const SECRET: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "psk",
    "pwd",
    "private_key",
    "privatekey",
    "credential",
];

/// The same, where it is a whole word of the name.
const SECRET_WORDS: [&str; 7] = ["key", "keys", "pass", "passwd", "passcode", "pin", "auth"];

/// Beside one of these a key is none that anybody minds.
const OPEN_WORDS: [&str; 9] =
    ["public", "id", "root", "release", "server", "signing", "signer", "revoked", "fingerprint"];

const REDACTED: &str = "(not kept)";

/// The text that is kept of a value.
pub(super) fn kept(value: Value) -> String {
    let text = canonical(&plain(value));
    if text.len() <= MOST_BYTES {
        return text;
    }
    let digest = Digest::of(text.as_bytes());
    canonical(&json!({ "too_long": { "bytes": text.len(), "sha256": digest } }))
}

fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => plain_number(&number),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => {
            let kept = members.into_iter().map(|(name, value)| {
                let value = if is_secret(&name, &value) { json!(REDACTED) } else { plain(value) };
                (name, value)
            });
            Value::Object(kept.collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// Nothing is as telling as that there was none.
fn is_secret(name: &str, value: &Value) -> bool {
    if matches!(value, Value::Null | Value::Bool(_)) {
        return false;
    }
    let words = words(name);
    let has = |some: &[&str]| words.iter().any(|word| some.contains(&word.as_str()));
    let lower = name.to_ascii_lowercase();
    SECRET.iter().any(|part| lower.contains(part)) || (has(&SECRET_WORDS) && !has(&OPEN_WORDS))
}

/// `wifi_key`, `wifi-key` and `wifiKey` in lower case, word by word.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        let begins = character.is_ascii_uppercase() && was_lower;
        if begins || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            let word = words.last_mut().expect("there is always one");
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase() || character.is_ascii_digit();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept_however_deep_they_are() {
        let value = json!({
            "desired": { "wifi": [{ "ssid": "home", "Password": "hunter2" }], "api_token": { "a": 1 } },
            "has_password": true, "secret_access_key": null, "volume": 0.5,
        });
        assert_eq!(
            kept(value),
            r#"{"desired":{"api_token":"(not kept)","wifi":[{"Password":"(not kept)","ssid":"home"}]},"has_password":true,"secret_access_key":null,"volume":"0.5"}"#
        );
    }

    #[test]
    fn keys_are_secrets_unless_they_are_public() {
        let names = ["key", "api_key", "apiKey", "wifi-key", "WPA_KEY", "passwd", "pin", "auth"];
        for name in names {
            assert_eq!(kept(json!({ name: "hunter2" })), format!(r#"{{"{name}":"(not kept)"}}"#));
        }
        for name in ["public_key", "key_id", "root_key", "monkey", "keyboard", "author", "spin"] {
            assert_eq!(kept(json!({ name: "open" })), format!(r#"{{"{name}":"open"}}"#));
        }
    }

    #[test]
    fn of_what_is_too_long_a_digest_is_kept() {
        let long = "x".repeat(MOST_BYTES);
        let text = kept(json!({ "notes": long }));
        assert!(text.starts_with(r#"{"too_long":{"bytes":32780,"sha256":""#), "{text}");
        assert!(text.len() < 200);
    }
}
