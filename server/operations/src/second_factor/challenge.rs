//! Between password and code: a text that says whose password was right, for a few minutes. It
//! is kept nowhere but by whoever signs in, so any node takes it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use otaru_store::UserRow;
use otaru_wire::OrganisationId;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{OperationError, SealingKey};

const PURPOSE: &str = "second factor challenge";

const NONCE_BYTES: usize = 16;

/// Time to find the phone.
const LIFETIME_MS: i64 = 5 * 60 * 1_000;

/// What somebody showed before they were asked for a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    /// The person's password.
    #[default]
    Password,
    /// A link that was made for the person, which set the password and is used up.
    Link,
}

/// Whose password was right, and when.
#[derive(Serialize, Deserialize)]
pub(super) struct Challenge {
    pub(super) organisation: OrganisationId,
    pub(super) user: String,
    at: i64,
    /// What its guesses are counted by.
    pub(super) nonce: String,
    #[serde(default)]
    pub(super) shown: Shown,
}

/// A challenge as it was sent back: nothing of it counts until [`Sent::is_of`].
pub(super) struct Sent {
    pub(super) challenge: Challenge,
    words: Vec<u8>,
    code: Vec<u8>,
}

/// The challenge for a person whose password has this hash.
pub(super) fn make(
    key: &SealingKey,
    user: &UserRow,
    password: &str,
    shown: Shown,
    now: i64,
) -> Result<String, OperationError> {
    let mut nonce = [0_u8; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| OperationError::Random)?;
    let challenge = Challenge {
        organisation: user.organisation.clone(),
        user: user.id.clone(),
        at: now,
        nonce: URL_SAFE_NO_PAD.encode(nonce),
        shown,
    };
    let words = serde_json::to_vec(&challenge).expect("texts, a number and a word");
    let code = code(key, &words, password);
    Ok(format!("{}.{}", URL_SAFE_NO_PAD.encode(&words), URL_SAFE_NO_PAD.encode(code)))
}

/// Reads what was sent; `None` when it cannot be one.
pub(super) fn read(text: &str) -> Option<Sent> {
    let (words, code) = text.split_once('.')?;
    let words = URL_SAFE_NO_PAD.decode(words).ok()?;
    let challenge = serde_json::from_slice(&words).ok()?;
    Some(Sent { challenge, words, code: URL_SAFE_NO_PAD.decode(code).ok()? })
}

impl Sent {
    /// Whether this server made it not long ago, for somebody who has this password still.
    pub(super) fn is_of(&self, key: &SealingKey, password: &str, now: i64) -> bool {
        let is_ours = code(key, &self.words, password).as_slice().ct_eq(&self.code);
        let holds = (0..LIFETIME_MS).contains(&(now - self.challenge.at));
        holds && bool::from(is_ours)
    }
}

/// With the password's hash, which is in nobody's hands: another password, and it is over.
fn code(key: &SealingKey, words: &[u8], password: &str) -> [u8; 32] {
    key.authenticate(PURPOSE, &[words, b"\0", password.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use otaru_fleet::Role;

    use super::*;

    fn ada() -> UserRow {
        UserRow {
            id: "ada".to_owned(),
            organisation: "org-1".parse().unwrap(),
            organisation_name: "default".to_owned(),
            email: "ada@x.org".to_owned(),
            role: Role::Owner,
            language: None,
            firmware_version: None,
            phrase_type: None,
            created_at: 0,
        }
    }

    #[test]
    fn a_challenge_is_of_one_server_and_one_password_and_ends() {
        let (key, other) = (SealingKey::random().unwrap(), SealingKey::random().unwrap());
        let text = make(&key, &ada(), "hash", Shown::Password, 1_000).unwrap();
        let sent = read(&text).unwrap();
        assert_eq!((sent.challenge.user.as_str(), sent.challenge.at), ("ada", 1_000));
        assert!(sent.is_of(&key, "hash", 1_000) && sent.is_of(&key, "hash", 999 + LIFETIME_MS));
        assert!(!sent.is_of(&key, "hash", 1_000 + LIFETIME_MS));
        assert!(!sent.is_of(&key, "another", 1_000) && !sent.is_of(&other, "hash", 1_000));
        assert!(!text.contains("hash"));
        let after_a_link = make(&key, &ada(), "hash", Shown::Link, 1_000).unwrap();
        assert_eq!(sent.challenge.shown, Shown::Password);
        assert_eq!(read(&after_a_link).unwrap().challenge.shown, Shown::Link);
    }

    #[test]
    fn a_challenge_that_was_changed_is_none() {
        let key = SealingKey::random().unwrap();
        let text = make(&key, &ada(), "hash", Shown::Password, 1_000).unwrap();
        for at in 0..text.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let sent = read(&String::from_utf8(changed).unwrap());
            assert!(!sent.is_some_and(|sent| sent.is_of(&key, "hash", 1_000)), "at {at}");
        }
        assert!(read("").is_none() && read(".").is_none() && read("e30.").is_none());
    }
}
