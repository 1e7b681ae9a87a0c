//! Browsers that somebody signed in with before. Each keeps a mark that this server made for one
//! person: it lets nobody in, but what others guess is not counted against it, so nobody can lock
//! a person out of their own browser (OWASP calls it a device cookie).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::{OperationError, Origin, SealingKey};

/// Keeps these codes from being those of another use of the key.
const PURPOSE: &str = "known browser";

const NONCE_BYTES: usize = 16;

/// How long a mark is known again: who does not come for half a year is a stranger.
const LIFETIME_MS: i64 = 180 * 24 * 60 * 60 * 1_000;

/// What a browser keeps, to be known again. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserMark(String);

impl fmt::Debug for BrowserMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserMark(…)")
    }
}

impl BrowserMark {
    /// What a browser sent, whether it holds or not.
    pub fn sent(text: &str) -> BrowserMark {
        BrowserMark(text.to_owned())
    }

    /// A new mark for a browser that this person signed in with.
    pub(crate) fn new(
        key: &SealingKey,
        email: &str,
        now: i64,
    ) -> Result<BrowserMark, OperationError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| OperationError::Random)?;
        let nonce = URL_SAFE_NO_PAD.encode(nonce);
        let code = code(key, email, &nonce, now);
        Ok(BrowserMark(format!("{nonce}.{now}.{code}")))
    }

    /// The text itself, for the browser alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the browser is counted by, if this is a mark of this person's that still holds.
    fn name(&self, key: &SealingKey, email: &str, now: i64) -> Option<&str> {
        let (nonce, rest) = self.0.split_once('.')?;
        let (made_at, said) = rest.split_once('.')?;
        let made_at: i64 = made_at.parse().ok()?;
        let holds = (0..LIFETIME_MS).contains(&(now - made_at));
        let is_ours = code(key, email, nonce, made_at).as_bytes().ct_eq(said.as_bytes());
        (holds && bool::from(is_ours)).then_some(nonce)
    }
}

fn code(key: &SealingKey, email: &str, nonce: &str, made_at: i64) -> String {
    URL_SAFE_NO_PAD
        .encode(key.authenticate(PURPOSE, format!("{email} {nonce} {made_at}").as_bytes()))
}

/// What the browser of a request is counted by, if the person with this address signed in with it
/// before.
pub(crate) fn known(key: &SealingKey, origin: &Origin, email: &str, now: i64) -> Option<String> {
    origin.browser.as_ref()?.name(key, email, now).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_person_and_one_server_and_ends() {
        let (key, other) = (SealingKey::random().unwrap(), SealingKey::random().unwrap());
        let mark = BrowserMark::new(&key, "ada", 1_000).unwrap();
        let name = mark.name(&key, "ada", 1_000).expect("it holds").to_owned();
        assert_eq!(mark.name(&key, "ada", 999 + LIFETIME_MS), Some(name.as_str()));
        assert_eq!(mark.name(&key, "ada", 1_000 + LIFETIME_MS), None);
        assert_eq!(mark.name(&key, "ada", 999), None, "from the future");
        assert_eq!(mark.name(&key, "bo", 1_000), None);
        assert_eq!(mark.name(&other, "ada", 1_000), None);
        assert_ne!(BrowserMark::new(&key, "ada", 1_000).unwrap(), mark);
        assert!(!format!("{mark:?}").contains(&name));
    }

    #[test]
    fn a_mark_that_was_changed_is_none() {
        let key = SealingKey::random().unwrap();
        let mark = BrowserMark::new(&key, "ada", 1_000).unwrap();
        for at in 0..mark.0.len() {
            let mut changed = mark.0.clone().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            let changed = BrowserMark(String::from_utf8(changed).unwrap());
            assert_eq!(changed.name(&key, "ada", 1_000), None, "at {at}");
        }
        for text in ["", ".", "..", "a.b.c", "a.1"] {
            assert_eq!(BrowserMark::sent(text).name(&key, "ada", 1_000), None, "{text}");
        }
    }
}
