//! How often somebody may try, and where from.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::Refusal;

/// Keys counted at once in each counter. Who makes up more of them pushes out those that were
/// tried least.
const MOST_KEYS: usize = 10_000;

const MINUTE_MS: i64 = 60_000;

/// Where a request comes from, as limits see it: an IPv4 address, or the /64 network of an
/// IPv6 one, which is what one line gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    place: String,
    /// The /48 that a site gets, with 65,536 lines; of IPv4 the place.
    site: String,
}

impl Remote {
    /// The place of an address; all requests without one share a place.
    pub fn of(address: Option<IpAddr>) -> Remote {
        let alone = |place: String| Remote { site: place.clone(), place };
        match address.map(|address| address.to_canonical()) {
            None => alone("unknown".to_owned()),
            Some(IpAddr::V4(address)) => alone(address.to_string()),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Remote {
                    place: format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"),
                    site: format!("{a:x}:{b:x}:{c:x}::/48"),
                }
            }
        }
    }

    /// The place itself, as a key.
    pub(crate) fn as_str(&self) -> &str {
        &self.place
    }

    /// The key of somebody at this place.
    pub(crate) fn with(&self, who: &str) -> String {
        format!("{} {who}", self.place)
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
        self.begin_within(key, self.most, now)
    }

    /// As [`Attempts::begin`], for a key with a limit of its own.
    pub(crate) fn begin_within(&self, key: &str, most: u32, now: i64) -> Result<(), Refusal> {
        let mut counts = self.lock();
        if counts.len() >= MOST_KEYS {
            make_room(&mut counts, now - self.window_ms);
        }
        let entry = counts.entry(key.to_owned()).or_insert((now, 0));
        if now - entry.0 >= self.window_ms {
            *entry = (now, 0);
        }
        if entry.1 >= most {
            let left_ms = entry.0.saturating_add(self.window_ms).saturating_sub(now);
            return Err(Refusal::TooManyAttempts { come_again_s: whole_seconds(left_ms) });
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

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (i64, u32)>> {
        // A counter is sound whatever happened to the thread that held it.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many seconds as it takes for so many milliseconds to be over; one at least.
pub(crate) fn whole_seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(1).unsigned_abs().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// Whoever tried most stays: a counter that is full is not pushed out by many that were just
/// begun.
fn make_room(counts: &mut HashMap<String, (i64, u32)>, ended: i64) {
    counts.retain(|_, (since, _)| *since > ended);
    if counts.len() < MOST_KEYS {
        return;
    }
    let mut order: Vec<(u32, i64)> =
        counts.values().map(|(since, count)| (*count, *since)).collect();
    let (_, median, _) = order.select_nth_unstable(MOST_KEYS / 2);
    let median = *median;
    counts.retain(|_, (since, count)| (*count, *since) > median);
}

/// Who guesses, as limits see it.
pub(crate) enum Guesser<'a> {
    /// A browser or credential that the person came in with before, by its name. What others
    /// guess is not counted against it.
    Known(&'a str),
    /// Anybody, at a place.
    Unknown(&'a Remote),
}

impl<'a> Guesser<'a> {
    pub(crate) fn of(known: Option<&'a str>, remote: &'a Remote) -> Guesser<'a> {
        known.map_or(Guesser::Unknown(remote), Guesser::Known)
    }
}

/// Counters with the key that an attempt has in each.
type Counted<'g> = Vec<(&'g Attempts, String)>;

/// Counts an attempt in each, or in none.
fn begin_all(counted: &Counted<'_>, now: i64) -> Result<(), Refusal> {
    for (number, (attempts, key)) in counted.iter().enumerate() {
        if let Err(refused) = attempts.begin(key, now) {
            counted[..number].iter().for_each(|(attempts, key)| attempts.forgive(key));
            return Err(refused);
        }
    }
    Ok(())
}

fn forgive_all(counted: &Counted<'_>) {
    counted.iter().for_each(|(attempts, key)| attempts.forgive(key));
}

/// Passwords somebody may try for one account from one place, or from a browser that is known.
const WRONG_PASSWORDS: u32 = 10;

/// Passwords a place may try for all accounts together: an office behind one address
/// mistypes, too.
const WRONG_PASSWORDS_OF_PLACE: u32 = 60;

/// Passwords a site may try, which has many places: a /48 of IPv6 costs as little as a /64.
const WRONG_PASSWORDS_OF_SITE: u32 = 300;

/// Passwords that all places together may try for one account in an hour. Its person has browsers
/// that are known, and links for a new password.
const WRONG_PASSWORDS_OF_ACCOUNT: u32 = 50;

const WINDOW_MS: i64 = 15 * MINUTE_MS;

const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Wrong passwords and codes for an account that are noted within a window.
const NOTED: u32 = 20;

/// Guards passwords against guessing.
pub(crate) struct PasswordGuard {
    known: Attempts,
    pairs: Attempts,
    places: Attempts,
    sites: Attempts,
    accounts: Attempts,
    noted: Attempts,
}

impl Default for PasswordGuard {
    fn default() -> PasswordGuard {
        PasswordGuard {
            known: Attempts::new(WRONG_PASSWORDS, WINDOW_MS),
            pairs: Attempts::new(WRONG_PASSWORDS, WINDOW_MS),
            places: Attempts::new(WRONG_PASSWORDS_OF_PLACE, WINDOW_MS),
            sites: Attempts::new(WRONG_PASSWORDS_OF_SITE, WINDOW_MS),
            accounts: Attempts::new(WRONG_PASSWORDS_OF_ACCOUNT, HOUR_MS),
            noted: Attempts::new(NOTED, WINDOW_MS),
        }
    }
}

impl PasswordGuard {
    fn counted(&self, guesser: &Guesser<'_>, email: &str) -> Counted<'_> {
        match guesser {
            Guesser::Known(name) => vec![(&self.known, (*name).to_owned())],
            Guesser::Unknown(remote) => vec![
                (&self.sites, remote.site.clone()),
                (&self.places, remote.place.clone()),
                (&self.pairs, remote.with(email)),
                (&self.accounts, email.to_owned()),
            ],
        }
    }

    /// Counts an attempt before it is made.
    pub(crate) fn begin(
        &self,
        guesser: &Guesser<'_>,
        email: &str,
        now: i64,
    ) -> Result<(), Refusal> {
        begin_all(&self.counted(guesser, email), now)
    }

    /// Whether one more wrong password for an account is to be noted.
    pub(crate) fn is_worth_noting(&self, email: &str, now: i64) -> bool {
        self.noted.begin(email, now).is_ok()
    }

    /// The password was right.
    pub(crate) fn forgive(&self, guesser: &Guesser<'_>, email: &str) {
        forgive_all(&self.counted(guesser, email));
    }
}

/// Wrong codes after one password.
const WRONG_CODES_OF_CHALLENGE: u32 = 5;

/// Wrong codes of a browser or credential that is known, in an hour.
const WRONG_CODES_OF_KNOWN: u32 = 10;

/// Wrong codes for one account from all other browsers together that came by its password, in a
/// day. Three of a million codes are right at a time: after ten years of guessing the odds are one
/// to four.
const WRONG_CODES_OF_ACCOUNT: u32 = 20;

/// Wrong codes for one account behind links that were made for its person, in a day, however many
/// links. Who has only the password cannot use them up. Who reads the mail sets a password with a
/// link and has those of the account as well: two to five after ten years.
const WRONG_CODES_BEHIND_LINKS: u32 = 10;

/// Who sends a code of a second factor, as limits see it.
pub(crate) enum CodeGuesser<'a> {
    /// As [`Guesser::Known`].
    Known(&'a str),
    /// Somebody who just used a link that the person was sent.
    WithLink,
    /// Anybody else who knows the password.
    Unknown,
}

/// Guards the codes of a second factor against guessing.
pub(crate) struct CodeGuard {
    challenges: Attempts,
    known: Attempts,
    links: Attempts,
    accounts: Attempts,
}

impl Default for CodeGuard {
    fn default() -> CodeGuard {
        CodeGuard {
            challenges: Attempts::new(WRONG_CODES_OF_CHALLENGE, WINDOW_MS),
            known: Attempts::new(WRONG_CODES_OF_KNOWN, HOUR_MS),
            links: Attempts::new(WRONG_CODES_BEHIND_LINKS, 24 * HOUR_MS),
            accounts: Attempts::new(WRONG_CODES_OF_ACCOUNT, 24 * HOUR_MS),
        }
    }
}

impl CodeGuard {
    fn counted(
        &self,
        guesser: &CodeGuesser<'_>,
        challenge: Option<&str>,
        user: &str,
    ) -> Counted<'_> {
        let challenge = challenge.map(|nonce| (&self.challenges, nonce.to_owned()));
        let other = match guesser {
            CodeGuesser::Known(name) => (&self.known, (*name).to_owned()),
            CodeGuesser::WithLink => (&self.links, user.to_owned()),
            CodeGuesser::Unknown => (&self.accounts, user.to_owned()),
        };
        challenge.into_iter().chain([other]).collect()
    }

    /// Counts a code before it is compared.
    pub(crate) fn begin(
        &self,
        guesser: &CodeGuesser<'_>,
        challenge: Option<&str>,
        user: &str,
        now: i64,
    ) -> Result<(), Refusal> {
        begin_all(&self.counted(guesser, challenge, user), now)
    }

    /// The code was right, or none was compared.
    pub(crate) fn forgive(&self, guesser: &CodeGuesser<'_>, challenge: Option<&str>, user: &str) {
        forgive_all(&self.counted(guesser, challenge, user));
    }
}

/// Wrong claim codes a place may send, or reset mails it may ask for, in an hour.
const PER_PLACE: u32 = 20;

/// Reset mails an address gets in an hour.
const MAILS_PER_ADDRESS: u32 = 3;

/// Guards the routes that strangers may call.
pub(crate) struct StrangerGuard {
    known: Attempts,
    places: Attempts,
    addresses: Attempts,
}

impl Default for StrangerGuard {
    fn default() -> StrangerGuard {
        StrangerGuard {
            known: Attempts::new(PER_PLACE, HOUR_MS),
            places: Attempts::new(PER_PLACE, HOUR_MS),
            addresses: Attempts::new(MAILS_PER_ADDRESS, HOUR_MS),
        }
    }
}

impl StrangerGuard {
    /// Counts what somebody asks for.
    pub(crate) fn begin(&self, guesser: &Guesser<'_>, now: i64) -> Result<(), Refusal> {
        match guesser {
            Guesser::Known(name) => self.known.begin(name, now),
            Guesser::Unknown(remote) => self.places.begin(&remote.place, now),
        }
    }

    /// Takes back what was right.
    pub(crate) fn forgive(&self, guesser: &Guesser<'_>) {
        match guesser {
            Guesser::Known(name) => self.known.forgive(name),
            Guesser::Unknown(remote) => self.places.forgive(&remote.place),
        }
    }

    /// Whether an address gets one more mail.
    pub(crate) fn may_mail(&self, email: &str, now: i64) -> bool {
        self.addresses.begin(email, now).is_ok()
    }
}

#[cfg(test)]
mod tests;
