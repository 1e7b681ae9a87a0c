//! How many retries an update has, and which tries count.

use otaru_wire::Reason;

/// Retries for what comes and goes.
const NETWORK_RETRIES: u32 = 20;

/// Hurried tries that cost nothing, since the last new byte.
const HURRIES: u32 = 20;

/// Long waits after which the tries of the network begin anew, since the last new byte: with the
/// tries between them about two weeks, unless links that come and go hurry them.
const RESTS: u32 = 5;

/// What became of the tries since the last new byte: one count of failures for each class of
/// reasons, so that a long outage takes nothing from what a release that is not there yet has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries(u32);

/// A count within [`Tries`].
#[derive(Clone, Copy)]
struct Count {
    place: u32,
    max: u32,
}

impl Tries {
    /// It stood alone once.
    const NETWORK: Count = Count { place: 0, max: 0x1F };
    const CRASHES: Count = Count { place: 5, max: 0x1F };
    const NOT_GIVEN: Count = Count { place: 10, max: 7 };
    const MEMORY: Count = Count { place: 13, max: 7 };
    const BYTES: Count = Count { place: 16, max: 3 };
    const RESTED: Count = Count { place: 18, max: 7 };
    const HURRIED: Count = Count { place: 21, max: 0x1F };

    /// The counts as the journal keeps them.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_number(number: u32) -> Tries {
        Tries(number)
    }

    fn get(self, count: Count) -> u32 {
        self.0 >> count.place & count.max
    }

    fn set(&mut self, count: Count, to: u32) {
        self.0 = self.0 & !(count.max << count.place) | to.min(count.max) << count.place;
    }

    /// One more for `reason`; answers how many of its class there are.
    pub(crate) fn add(&mut self, reason: Reason) -> u32 {
        let count = match retries_allowed(reason) {
            0 => return 1,
            2 => Tries::BYTES,
            3 => Tries::NOT_GIVEN,
            5 => Tries::MEMORY,
            _ if reason == Reason::FirmwareCrashed => Tries::CRASHES,
            _ => Tries::NETWORK,
        };
        self.set(count, self.get(count) + 1);
        self.get(count)
    }

    /// The retries for `reason` are used up: whether they begin anew after a long wait.
    pub(crate) fn rest(&mut self, reason: Reason) -> bool {
        let rested = self.get(Tries::RESTED);
        let rests = is_of_the_network(reason) && rested < RESTS;
        if rests {
            self.set(Tries::RESTED, rested + 1);
            self.set(Tries::NETWORK, 0);
        }
        rests
    }

    /// The link is back: whether the try that failed for want of it is made again at once, and
    /// counts no more. A link that comes and goes has only so many.
    pub(crate) fn hurry(&mut self, reason: Reason) -> bool {
        let hurried = self.get(Tries::HURRIED);
        let hurries = ends_with_the_link(reason) && hurried < HURRIES;
        if hurries {
            self.set(Tries::HURRIED, hurried + 1);
            self.set(Tries::NETWORK, self.get(Tries::NETWORK).saturating_sub(1));
        }
        hurries
    }
}

/// How often in a row, without one new byte in flash in between, is tried again after a failure
/// for this reason. Zero ends the update at once.
pub fn retries_allowed(reason: Reason) -> u32 {
    use Reason::*;
    match reason {
        // Full jitter from 30 s to 6 h makes these retries last for days.
        FirmwareCrashed => NETWORK_RETRIES,
        _ if is_of_the_network(reason) => NETWORK_RETRIES,
        // The product may give back what it can do without.
        LowMemory => 5,
        // A release may be on its way through a cache, a permission on its way through a form.
        ReleaseNotFound | DownloadForbidden | ManifestMissing | RootMissing | ContentChanged
        | OrderMissing | OrderExpired | RootWithheld | TooManyBytes => 3,
        // Bytes that do not match are fetched twice more, from the start.
        ImageCorrupt | DigestMismatch | FlashFailed => 2,
        _ => 0,
    }
}

/// Whether used-up retries end the update as [`Reason::RetriesExhausted`]: the last of many reasons
/// says little.
pub(crate) fn is_exhausting(reason: Reason) -> bool {
    retries_allowed(reason) == NETWORK_RETRIES
}

/// Whether what is in flash is suspect, so that the next try starts over.
pub(crate) fn starts_over(reason: Reason) -> bool {
    use Reason::*;
    matches!(reason, ImageCorrupt | DigestMismatch | ContentChanged | TooManyBytes)
}

/// Whether the link or the server may come back, so that no number of failures says anything
/// about the release.
fn is_of_the_network(reason: Reason) -> bool {
    use Reason::*;
    matches!(
        reason,
        LinkDownAtInstall
            | LinkDownWhileDownloading
            | LinkDownAtReport
            | DownloadStalled
            | ServerError
            | TlsRootMissing
            | TlsRootExpired
            | TlsUntrusted
            | BrokerUnreachable
    )
}

/// Whether a reconnected broker makes another try worthwhile at once. A server that answers, if
/// only that it cannot, is reached: it says itself when it wants to be asked again.
fn ends_with_the_link(reason: Reason) -> bool {
    is_of_the_network(reason) && reason != Reason::ServerError
}
