//! How many tries an update has, and which of them count.

use otaru_wire::Reason;

/// Hurried tries that cost nothing, since the last new byte.
const HURRIES: u32 = 20;

/// Tries that failed since the last new byte: one count for each class of reasons, so that a long
/// outage takes nothing from what a release that is not there yet has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries(u32);

impl Tries {
    /// Places of the counts, of eight bits each. The first stood alone once.
    const PLACES: [(u32, u32); 3] = [(20, 0), (3, 8), (2, 16)];
    const HURRIED: u32 = 24;

    /// The counts as the journal keeps them.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_number(number: u32) -> Tries {
        Tries(number)
    }

    fn count(self, place: u32) -> u32 {
        self.0 >> place & 0xFF
    }

    /// One more for `reason`; answers how many of its class there are.
    pub(crate) fn add(&mut self, reason: Reason) -> u32 {
        let allowed = tries_allowed(reason);
        let class = Tries::PLACES.iter().find(|(class, _)| *class == allowed);
        let Some((_, place)) = class else { return 1 };
        if self.count(*place) < 0xFF {
            self.0 += 1 << place;
        }
        self.count(*place)
    }

    /// The link is back: whether the try that failed for want of it is made again at once, and
    /// counts no more. A link that comes and goes has only so many.
    pub(crate) fn hurry(&mut self, reason: Reason) -> bool {
        let hurries = ends_with_the_link(reason) && self.count(Tries::HURRIED) < HURRIES;
        if hurries && self.count(0) > 0 {
            self.0 += (1 << Tries::HURRIED) - 1;
        }
        hurries
    }
}

/// How many tries in a row, without one new byte in flash between them, a
/// reason is worth. Zero ends the update at once.
pub fn tries_allowed(reason: Reason) -> u32 {
    use Reason::*;
    match reason {
        // The link or the server may come back: full jitter from 30 s to 6 h
        // makes these tries last for days.
        LinkDownAtInstall
        | LinkDownWhileDownloading
        | LinkDownAtReport
        | DownloadStalled
        | ServerError
        | TlsRootMissing
        | TlsRootExpired
        | TlsUntrusted
        | BrokerUnreachable
        | FirmwareCrashed => 20,
        // A release may be on its way through a cache, a permission on its way through a form.
        ReleaseNotFound | DownloadForbidden | ManifestMissing | RootMissing | ContentChanged
        | OrderMissing | OrderExpired | RootWithheld | TooManyBytes => 3,
        // Bytes that do not match are fetched once more, from the start.
        ImageCorrupt | DigestMismatch | FlashFailed => 2,
        _ => 0,
    }
}

/// Whether what is in flash is suspect, so that the next try starts over.
pub(crate) fn starts_over(reason: Reason) -> bool {
    use Reason::*;
    matches!(reason, ImageCorrupt | DigestMismatch | ContentChanged | TooManyBytes)
}

/// Whether a reconnected broker makes another try worthwhile at once. A server that answers, if
/// only that it cannot, is reached: it says itself when it wants to be asked again.
fn ends_with_the_link(reason: Reason) -> bool {
    tries_allowed(reason) == 20 && !matches!(reason, Reason::ServerError | Reason::FirmwareCrashed)
}
