//! Passwords: which may be chosen, and comparing them without holding up anybody.

mod hashers;

use std::{
    collections::HashSet,
    num::NonZero,
    sync::{Arc, LazyLock},
};

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use serde::{Deserialize, Deserializer};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use self::hashers::Hashers;
use crate::{OperationError, Refusal};

/// Fewest characters.
const SHORTEST: usize = 10;

/// Most characters.
const LONGEST: usize = 200;

/// Hashes made at once, at most. Each takes a core and 19 MiB for about 20 ms.
const MOST_AT_ONCE: usize = 8;

/// Who may wait for each of them, those being served included: a third of a second.
const ROOM: usize = 16;

/// Room for browsers that are known, which strangers cannot fill.
const ROOM_FOR_KNOWN: usize = 8;

/// The most common passwords of at least [`SHORTEST`] characters, in lower case.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("passwords/common.txt").lines().collect());

/// A password as somebody typed it; wiped when it is dropped, and it has no `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
        String::deserialize(deserializer).map(|text| Password(Zeroizing::new(text)))
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Password {
        Password(Zeroizing::new(text.to_owned()))
    }
}

impl Password {
    /// Refuses what others would guess for this account.
    pub(crate) fn check(&self, email: &str) -> Result<(), Refusal> {
        let text = self.0.as_str();
        let weak = |detail| Err(Refusal::PasswordWeak { detail });
        let length = text.chars().count();
        if length < SHORTEST {
            return weak("it has fewer than 10 characters");
        }
        if length > LONGEST {
            return weak("it has more than 200 characters");
        }
        let lower = text.to_lowercase();
        if lower.trim() == email {
            return weak("it is the e-mail address");
        }
        let first = text.chars().next();
        if text.chars().all(|character| Some(character) == first) {
            return weak("it is one character repeated");
        }
        if COMMON.contains(lower.as_str()) {
            return weak("it is one of the most common passwords");
        }
        Ok(())
    }
}

/// Makes and compares hashes: on as many threads as leave half of the cores to all else, and
/// with only so many waiting.
pub(crate) struct Passwords {
    hashers: Hashers,
    room: Arc<Semaphore>,
    room_for_known: Arc<Semaphore>,
    /// Compared when there is no account, so that the answer takes as long.
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Passwords, OperationError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Passwords::on(cores)
    }

    /// For a machine with so many cores.
    fn on(cores: usize) -> Result<Passwords, OperationError> {
        let nobody = hash(&Password::from("nobody's password"))?;
        let at_once = (cores / 2).clamp(1, MOST_AT_ONCE);
        let room = |places| Arc::new(Semaphore::new(places));
        Ok(Passwords {
            hashers: Hashers::start(at_once)?,
            room: room(at_once * ROOM),
            room_for_known: room(ROOM_FOR_KNOWN),
            nobody: nobody.into(),
        })
    }

    /// The hash to store, as a PHC string.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, OperationError> {
        self.run(false, move || hash(&password)).await
    }

    /// Whether the password is the one that was hashed; never for no hash, after as long.
    pub(crate) async fn is_right(
        &self,
        password: Password,
        stored: Option<&str>,
        is_known: bool,
    ) -> Result<bool, OperationError> {
        let has_one = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).to_owned();
        let matches = self.run(is_known, move || compare(&password, &stored)).await?;
        Ok(matches && has_one)
    }

    async fn run<T: Send + 'static>(
        &self,
        is_known: bool,
        work: impl FnOnce() -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        let mut waits = self.room.clone().try_acquire_owned();
        if is_known {
            waits = waits.or_else(|_| self.room_for_known.clone().try_acquire_owned());
        }
        let waits = waits.map_err(|_| Refusal::Busy)?;
        // The work goes on when the caller leaves, and so does the room it takes.
        let work = move || {
            let _held = waits;
            work()
        };
        self.hashers.run(work).await?
    }
}

/// OWASP's first recommendation: argon2id, 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    debug_assert_eq!((Params::DEFAULT_M_COST, Params::DEFAULT_T_COST), (19 * 1024, 2));
    Argon2::default()
}

fn hash(password: &Password) -> Result<String, OperationError> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|_| OperationError::Random)?;
    let made = argon2().hash_password_with_salt(password.0.as_bytes(), &salt);
    let made: PasswordHash = made.map_err(|error| OperationError::Hash(error.into()))?;
    Ok(made.to_string())
}

fn compare(password: &Password, stored: &str) -> Result<bool, OperationError> {
    let stored = PasswordHash::new(stored);
    let stored = stored.map_err(|error| OperationError::Hash(error.into()))?;
    match argon2().verify_password(password.0.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(OperationError::Hash(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use expect_test::expect;

    use super::*;

    #[test]
    fn what_others_would_guess_is_refused() {
        let check = |text: &str| Password::from(text).check("ada@example.org");
        let ten_japanese = "ねこがだいすきですよね";
        for good in ["correct horse", "ten chars!", ten_japanese, &"ab".repeat(100)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let refused = ["", "nine char", "Ada@Example.org", "aaaaaaaaaaaa", "Password123"];
        let long = "ab".repeat(101);
        let told: String = refused
            .into_iter()
            .chain([long.as_str()])
            .map(|text| format!("{}\n", check(text).unwrap_err()))
            .collect();
        expect![[r#"
            the password cannot be used: it has fewer than 10 characters
            the password cannot be used: it has fewer than 10 characters
            the password cannot be used: it is the e-mail address
            the password cannot be used: it is one character repeated
            the password cannot be used: it is one of the most common passwords
            the password cannot be used: it has more than 200 characters
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn common_passwords_are_listed_as_they_are_compared() {
        assert!(COMMON.len() > 100);
        for word in COMMON.iter() {
            assert!(word.chars().count() >= SHORTEST && word.to_lowercase() == **word, "{word}");
        }
    }

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let passwords = Passwords::new().unwrap();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, passwords.hash("correct horse".into()).await.unwrap(), "no salt");
        assert!(passwords.is_right("correct horse".into(), Some(&stored), false).await.unwrap());
        assert!(!passwords.is_right("correct horsf".into(), Some(&stored), false).await.unwrap());
        assert!(!passwords.is_right("nobody's password".into(), None, false).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_waiting_room_refuses_all_but_known_browsers() {
        let passwords = Passwords::on(4).unwrap();
        let free = passwords.room.available_permits();
        assert_eq!(free, 2 * ROOM);
        let strangers = passwords.room.clone().try_acquire_many_owned(free as u32).unwrap();
        let refused = passwords.hash("correct horse".into()).await.unwrap_err();
        assert!(matches!(refused, OperationError::Refused(Refusal::Busy)), "{refused:?}");
        assert!(passwords.is_right("correct horse".into(), None, true).await.is_ok());
        drop(strangers);
        assert!(passwords.hash("correct horse".into()).await.is_ok());
    }

    /// Whatever waits, half of the cores are for all else.
    #[tokio::test]
    async fn hashes_are_made_on_half_of_the_cores() {
        for (cores, at_once) in [(1, 1), (2, 1), (3, 1), (4, 2), (64, 8)] {
            let passwords = Passwords::on(cores).unwrap();
            let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let work = || {
                let (running, most) = (running.clone(), most.clone());
                passwords.run(false, move || {
                    most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, SeqCst);
                    Ok(())
                })
            };
            let all = futures::future::join_all((0..ROOM).map(|_| work())).await;
            assert!(all.iter().all(Result::is_ok));
            assert!(most.load(SeqCst) <= at_once, "{} on {cores} cores", most.load(SeqCst));
        }
    }
}
