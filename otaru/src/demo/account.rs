//! Somebody who can sign in at the demo's pages.

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Without the letters and digits that are easily mistaken for each other on a phone.
const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Groups of four letters: together 59 bits, and short enough to be typed.
const GROUPS: usize = 3;

/// A person's e-mail address and password.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Account {
    /// An account with a password that nobody could know before.
    pub(crate) fn new(email: &str) -> anyhow::Result<Account> {
        let groups: Vec<String> = (0..GROUPS).map(|_| group()).collect::<anyhow::Result<_>>()?;
        Ok(Account { email: email.to_owned(), password: groups.join("-") })
    }
}

fn group() -> anyhow::Result<String> {
    (0..4).map(|_| letter()).collect()
}

fn letter() -> anyhow::Result<char> {
    loop {
        let mut byte = [0];
        getrandom::fill(&mut byte).context("could not get random bytes")?;
        // The one value too many is drawn again, so that each letter is as likely as the others.
        if let Some(letter) = LETTERS.get(usize::from(byte[0] & 31)) {
            return Ok(char::from(*letter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_typed_easily_and_never_the_same() {
        let [one, other] = [(); 2].map(|()| Account::new("owner@example.org").unwrap().password);
        assert_ne!(one, other);
        let groups: Vec<&str> = one.split('-').collect();
        assert_eq!(groups.len(), 3, "{one}");
        let is_group =
            |group: &&str| group.len() == 4 && group.bytes().all(|byte| LETTERS.contains(&byte));
        assert!(groups.iter().all(is_group), "{one}");
    }
}
