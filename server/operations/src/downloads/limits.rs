//! How many downloads there may be at once, and how fast.
//!
//! A download has a place with whoever fetches, with the site it comes from and with the
//! organisation; where one has no place left, it is refused and told when to come again. Bytes
//! wait in the order they are asked for: everybody under a rate gets a piece in turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use otaru_wire::OrganisationId;
use tokio::time::Instant;

use crate::{Refusal, Remote};

/// How much of something may be downloaded. Zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DownloadAllowance {
    /// Downloads at once.
    pub in_flight: u32,
    /// Bytes in a second, all of them together.
    pub bytes_per_s: u32,
}

impl DownloadAllowance {
    fn is_limited(self) -> bool {
        self.in_flight != 0 || self.bytes_per_s != 0
    }
}

/// Limits of downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadLimits {
    /// Of one device, person or program.
    pub device: DownloadAllowance,
    /// Of one site: an IPv4 address, or the /64 network of an IPv6 one.
    pub site: DownloadAllowance,
    /// Of all images of an organisation.
    pub organisation: DownloadAllowance,
}

impl Default for DownloadLimits {
    fn default() -> DownloadLimits {
        let at_once = |in_flight| DownloadAllowance { in_flight, bytes_per_s: 0 };
        // A site may be a whole town behind one address of its provider.
        DownloadLimits { device: at_once(4), site: at_once(1_000), organisation: at_once(10_000) }
    }
}

/// When somebody who found no place should come again, in seconds: by then many a place is free.
const COME_AGAIN_S: u32 = 15;

/// Who shares a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Device(Arc<str>),
    Site(Arc<str>),
    Organisation(Arc<str>),
}

/// The downloads of this node.
pub(crate) struct OpenDownloads {
    limits: DownloadLimits,
    shared: Arc<Mutex<HashMap<Key, Entry>>>,
}

/// What those with one key share; gone when nobody is left.
#[derive(Default)]
struct Entry {
    open: u32,
    pace: Weak<Pace>,
}

/// Where a download needs a place, if there is a limit at all.
#[derive(Clone)]
pub(crate) struct Places(Arc<[(Key, DownloadAllowance)]>);

/// The places of one download, until it is dropped.
pub(crate) struct OpenDownload {
    shared: Arc<Mutex<HashMap<Key, Entry>>>,
    places: Places,
    paces: Vec<Arc<Pace>>,
}

impl OpenDownloads {
    pub(crate) fn new(limits: DownloadLimits) -> OpenDownloads {
        OpenDownloads { limits, shared: Arc::default() }
    }

    /// Where a download of this image by whoever it is needs a place.
    pub(crate) fn places(
        &self,
        who: Option<String>,
        site: &Remote,
        organisation: &OrganisationId,
    ) -> Places {
        let own = who.map(|who| (Key::Device(who.into()), self.limits.device));
        let shared = [
            (Key::Site(site.as_str().into()), self.limits.site),
            (Key::Organisation(organisation.as_str().into()), self.limits.organisation),
        ];
        let all = own.into_iter().chain(shared);
        Places(all.filter(|(_, allowed)| allowed.is_limited()).collect())
    }

    /// Takes a place everywhere, or nowhere.
    pub(crate) fn begin(
        &self,
        who: Option<String>,
        site: &Remote,
        organisation: &OrganisationId,
    ) -> Result<OpenDownload, Refusal> {
        self.begin_at(&self.places(who, site, organisation))
    }

    /// As [`OpenDownloads::begin`], for one of these places.
    pub(crate) fn begin_at(&self, places: &Places) -> Result<OpenDownload, Refusal> {
        let (shared, places) = (self.shared.clone(), places.clone());
        if places.0.is_empty() {
            return Ok(OpenDownload { shared, places, paces: Vec::new() });
        }
        let mut entries = lock(&self.shared);
        let full = places.0.iter().find(|(key, allowed)| {
            let open = entries.get(key).map_or(0, |entry| entry.open);
            allowed.in_flight != 0 && open >= allowed.in_flight
        });
        if let Some((key, allowed)) = full {
            let (whose, most) = (key.name(), allowed.in_flight);
            return Err(Refusal::TooManyDownloads { whose, most, come_again_s: COME_AGAIN_S });
        }
        let mut paces = Vec::new();
        for (key, allowed) in places.0.iter() {
            let entry = entries.entry(key.clone()).or_default();
            entry.open += 1;
            paces.extend(entry.pace(allowed.bytes_per_s));
        }
        drop(entries);
        Ok(OpenDownload { shared, places, paces })
    }
}

impl OpenDownload {
    /// Whether bytes wait for their turn.
    pub(crate) fn has_rate(&self) -> bool {
        !self.paces.is_empty()
    }

    /// Waits until so many bytes may be sent.
    pub(crate) async fn turn(&self, bytes: usize) {
        for pace in &self.paces {
            pace.pay(bytes).await;
        }
    }
}

impl Drop for OpenDownload {
    fn drop(&mut self) {
        if self.places.0.is_empty() {
            return;
        }
        let mut entries = lock(&self.shared);
        for (key, _) in self.places.0.iter() {
            if let Some(entry) = entries.get_mut(key) {
                entry.open -= 1;
                if entry.open == 0 {
                    entries.remove(key);
                }
            }
        }
    }
}

impl Key {
    fn name(&self) -> &'static str {
        match self {
            Key::Device(_) => "this client",
            Key::Site(_) => "this address",
            Key::Organisation(_) => "this organisation",
        }
    }
}

impl Entry {
    fn pace(&mut self, bytes_per_s: u32) -> Option<Arc<Pace>> {
        if bytes_per_s == 0 {
            return None;
        }
        let pace = self.pace.upgrade().unwrap_or_else(|| Arc::new(Pace::new(bytes_per_s)));
        self.pace = Arc::downgrade(&pace);
        Some(pace)
    }
}

/// One rate for all who share it, first come first served: tokio's mutex is handed on in the
/// order it was asked for.
struct Pace {
    bytes_per_s: u32,
    /// When the last bytes were paid for.
    paid_until: tokio::sync::Mutex<Instant>,
}

impl Pace {
    fn new(bytes_per_s: u32) -> Pace {
        Pace { bytes_per_s, paid_until: tokio::sync::Mutex::new(Instant::now()) }
    }

    /// Bytes are paid for before they are sent: many short downloads one after the other, each
    /// with a pace of its own, get no more than one long one.
    async fn pay(&self, bytes: usize) {
        let mut paid_until = self.paid_until.lock().await;
        let price = Duration::from_secs_f64(bytes as f64 / f64::from(self.bytes_per_s));
        let at = (*paid_until).max(Instant::now()) + price;
        tokio::time::sleep_until(at).await;
        *paid_until = at;
    }
}

fn lock(shared: &Mutex<HashMap<Key, Entry>>) -> MutexGuard<'_, HashMap<Key, Entry>> {
    // Nothing that holds the lock can panic; the counts are sound in any case.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(in_flight: u32, bytes_per_s: u32) -> DownloadAllowance {
        DownloadAllowance { in_flight, bytes_per_s }
    }

    fn organisation() -> OrganisationId {
        OrganisationId::new("0192-acme").expect("an id")
    }

    fn site(number: u8) -> Remote {
        Remote::of(Some([192, 0, 2, number].into()))
    }

    #[test]
    fn whoever_has_no_place_takes_none_elsewhere() {
        let downloads = OpenDownloads::new(DownloadLimits {
            device: allowance(1, 0),
            site: allowance(2, 0),
            organisation: allowance(3, 0),
        });
        let begin =
            |who: &str, place| downloads.begin(Some(who.into()), &site(place), &organisation());
        let whose = |refused: Result<OpenDownload, Refusal>| match refused.err() {
            Some(Refusal::TooManyDownloads { whose, .. }) => whose,
            other => panic!("{other:?}"),
        };

        let first = begin("a", 1).unwrap();
        assert_eq!(whose(begin("a", 2)), "this client");
        let second = begin("b", 1).unwrap();
        assert_eq!(whose(begin("c", 1)), "this address");
        let third = begin("c", 2).unwrap();
        assert_eq!(whose(begin("d", 3)), "this organisation");
        drop(second);
        let fourth = begin("d", 1).unwrap();
        drop((first, third, fourth));
        assert!(lock(&downloads.shared).is_empty(), "nothing is remembered of who is gone");
    }

    #[test]
    fn zero_is_no_limit() {
        let none = allowance(0, 0);
        let limits = DownloadLimits { device: none, site: none, organisation: none };
        let downloads = OpenDownloads::new(limits);
        let all: Vec<_> =
            (0..100).map(|_| downloads.begin(None, &site(1), &organisation()).unwrap()).collect();
        assert!(all.iter().all(|download| download.paces.is_empty()));
    }

    #[tokio::test(start_paused = true)]
    async fn two_at_once_share_a_rate_and_take_turns() {
        let limits = DownloadLimits {
            device: allowance(0, 0),
            site: allowance(0, 0),
            organisation: allowance(0, 100_000),
        };
        let downloads = OpenDownloads::new(limits);
        let began = Instant::now();
        let run = |who: &str| {
            let download = downloads.begin(Some(who.into()), &site(1), &organisation()).unwrap();
            async move {
                for _ in 0..20 {
                    download.turn(10_000).await;
                }
                began.elapsed().as_millis()
            }
        };
        let (one, other) = tokio::join!(run("a"), run("b"));
        // 400,000 bytes at 100,000 a second, and neither waited for the other to end.
        assert!((4_000..=4_100).contains(&one.max(other)), "{one} and {other} ms");
        assert!(one.abs_diff(other) <= 150, "{one} and {other} ms");
    }
}
