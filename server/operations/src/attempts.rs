//! How often somebody may try, and where from.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::Refusal;

/// Keys counted at once. Who makes up more of them pushes the oldest out, which costs an
/// attacker as many addresses as it frees.
const MOST_KEYS: usize = 10_000;

const MINUTE_MS: i64 = 60_000;

/// Where a request comes from, as limits see it: an IPv4 address, or the /64 network of an
/// IPv6 one, which is what one line gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote(String);

impl Remote {
    /// The place of an address; all requests without one share a place.
    pub fn of(address: Option<IpAddr>) -> Remote {
        Remote(match address.map(|address| address.to_canonical()) {
            None => "unknown".to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        })
    }

    /// The place itself, as a key.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of somebody at this place.
    pub(crate) fn with(&self, who: &str) -> String {
        format!("{} {who}", self.0)
    }
}

/// Counts attempts per key in windows of a fixed length.
pub(crate) struct Attempts {
    most: u32,
    window_ms: i64,
    counts: Mutex<HashMap<String, (i64, u32)>>,
}

impl Attempts {
    pub(crate) fn new(most: u32, window_ms: i64) -> Attempts {
        Attempts { most, window_ms, counts: Mutex::default() }
    }

    /// Counts an attempt before it is made, so that many at once are as limited as one after
    /// the other.
    pub(crate) fn begin(&self, key: &str, now: i64) -> Result<(), Refusal> {
        let mut counts = self.lock();
        if counts.len() >= MOST_KEYS {
            make_room(&mut counts, now - self.window_ms);
        }
        let entry = counts.entry(key.to_owned()).or_insert((now, 0));
        if now - entry.0 >= self.window_ms {
            *entry = (now, 0);
        }
        if entry.1 >= self.most {
            return Err(Refusal::TooManyAttempts);
        }
        entry.1 += 1;
        Ok(())
    }

    /// Takes one attempt back: it was right.
    pub(crate) fn forgive(&self, key: &str) {
        let mut counts = self.lock();
        match counts.get_mut(key) {
            Some((_, count)) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(key)),
        }
    }

    /// Attempts in the window that is open.
    fn count(&self, key: &str, now: i64) -> u32 {
        let counts = self.lock();
        let open = counts.get(key).filter(|(since, _)| now - since < self.window_ms);
        open.map_or(0, |(_, count)| *count)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (i64, u32)>> {
        // A counter is sound whatever happened to the thread that held it.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(counts: &mut HashMap<String, (i64, u32)>, ended: i64) {
    counts.retain(|_, (since, _)| *since > ended);
    if counts.len() < MOST_KEYS {
        return;
    }
    let mut begun: Vec<i64> = counts.values().map(|(since, _)| *since).collect();
    let (_, median, _) = begun.select_nth_unstable(MOST_KEYS / 2);
    let median = *median;
    counts.retain(|_, (since, _)| *since > median);
}

/// Passwords somebody may try for one account from one place.
const WRONG_PASSWORDS: u32 = 10;

/// Passwords a place may try for all accounts together: an office behind one address
/// mistypes, too.
const WRONG_PASSWORDS_OF_PLACE: u32 = 60;

const WINDOW_MS: i64 = 15 * MINUTE_MS;

/// Wrong passwords for an account, wherever from, that cost no delay.
const PROMPT_ANSWERS: u32 = 20;

/// What further ones cost. Nobody is locked out by what others try, only slowed down.
const DELAY: Duration = Duration::from_millis(500);

/// Wrong passwords for an account that are noted within a window.
const NOTED: u32 = 20;

/// Guards passwords against guessing.
pub(crate) struct PasswordGuard {
    pairs: Attempts,
    places: Attempts,
    accounts: Attempts,
    noted: Attempts,
}

impl Default for PasswordGuard {
    fn default() -> PasswordGuard {
        PasswordGuard {
            pairs: Attempts::new(WRONG_PASSWORDS, WINDOW_MS),
            places: Attempts::new(WRONG_PASSWORDS_OF_PLACE, WINDOW_MS),
            accounts: Attempts::new(u32::MAX, WINDOW_MS),
            noted: Attempts::new(NOTED, WINDOW_MS),
        }
    }
}

impl PasswordGuard {
    /// Counts an attempt; how long it has to wait before it is looked at.
    pub(crate) fn begin(
        &self,
        remote: &Remote,
        email: &str,
        now: i64,
    ) -> Result<Duration, Refusal> {
        self.places.begin(&remote.0, now)?;
        self.pairs.begin(&remote.with(email), now)?;
        let before = self.accounts.count(email, now);
        self.accounts.begin(email, now)?;
        Ok(if before < PROMPT_ANSWERS { Duration::ZERO } else { DELAY })
    }

    /// Whether one more wrong password for an account is to be noted.
    pub(crate) fn is_worth_noting(&self, email: &str, now: i64) -> bool {
        self.noted.begin(email, now).is_ok()
    }

    /// The password was right.
    pub(crate) fn forgive(&self, remote: &Remote, email: &str) {
        self.places.forgive(&remote.0);
        self.pairs.forgive(&remote.with(email));
        self.accounts.forgive(email);
    }
}

/// Accounts a place may sign up for, or ask reset mails for, in an hour.
const PER_PLACE: u32 = 20;

/// Reset mails an address gets in an hour.
const MAILS_PER_ADDRESS: u32 = 3;

/// Guards the routes that strangers may call.
pub(crate) struct StrangerGuard {
    places: Attempts,
    addresses: Attempts,
}

impl Default for StrangerGuard {
    fn default() -> StrangerGuard {
        StrangerGuard {
            places: Attempts::new(PER_PLACE, 60 * MINUTE_MS),
            addresses: Attempts::new(MAILS_PER_ADDRESS, 60 * MINUTE_MS),
        }
    }
}

impl StrangerGuard {
    /// Counts what a place asks for.
    pub(crate) fn begin(&self, remote: &Remote, now: i64) -> Result<(), Refusal> {
        self.places.begin(&remote.0, now)
    }

    /// What was asked for was rightly asked for.
    pub(crate) fn forgive(&self, remote: &Remote) {
        self.places.forgive(&remote.0);
    }

    /// Whether an address gets one more mail.
    pub(crate) fn may_mail(&self, email: &str, now: i64) -> bool {
        self.addresses.begin(email, now).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Remote {
        Remote::of(Some(text.parse().unwrap()))
    }

    #[test]
    fn attempts_are_limited_per_key_and_window() {
        let attempts = Attempts::new(2, 60_000);
        assert!(attempts.begin("a", 0).is_ok());
        assert!(attempts.begin("a", 0).is_ok());
        assert_eq!(attempts.begin("a", 59_999), Err(Refusal::TooManyAttempts));
        assert!(attempts.begin("b", 59_999).is_ok());
        assert!(attempts.begin("a", 60_000).is_ok());
        attempts.forgive("a");
        assert_eq!(attempts.count("a", 60_000), 0);
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let attempts = Attempts::new(1, 60_000);
        for number in 0..3 * MOST_KEYS as i64 {
            attempts.begin(&number.to_string(), number % 50_000).unwrap();
        }
        assert!(attempts.lock().len() <= MOST_KEYS);
    }

    #[test]
    fn an_ipv6_line_is_one_place() {
        assert_eq!(remote("2001:db8:1:2::5"), remote("2001:db8:1:2:ffff::9"));
        assert_ne!(remote("2001:db8:1:2::5"), remote("2001:db8:1:3::5"));
        assert_eq!(remote("::ffff:192.0.2.1"), remote("192.0.2.1"));
    }

    #[test]
    fn guessing_from_one_place_locks_nobody_else_out() {
        let guard = PasswordGuard::default();
        let (attacker, ada) = (remote("192.0.2.1"), remote("192.0.2.2"));
        for _ in 0..WRONG_PASSWORDS {
            guard.begin(&attacker, "ada@x", 0).unwrap();
        }
        assert!(guard.begin(&attacker, "ada@x", 1).is_err());
        assert_eq!(guard.begin(&ada, "ada@x", 1), Ok(Duration::ZERO));
        // From many places the account becomes slower to ask, and still answers.
        for number in 3..30 {
            guard.begin(&remote(&format!("192.0.2.{number}")), "ada@x", 1).unwrap();
        }
        assert_eq!(guard.begin(&ada, "ada@x", 2), Ok(DELAY));
        assert_eq!(guard.begin(&ada, "bo@x", 2), Ok(Duration::ZERO));
    }

    #[test]
    fn one_place_cannot_try_every_account() {
        let guard = PasswordGuard::default();
        let place = remote("192.0.2.1");
        for number in 0..WRONG_PASSWORDS_OF_PLACE {
            guard.begin(&place, &number.to_string(), 0).unwrap();
        }
        assert!(guard.begin(&place, "another", 0).is_err());
        for _ in 0..5 {
            guard.forgive(&place, "1");
        }
        assert!(guard.begin(&place, "another", 0).is_ok());
    }
}
