//! What a device remembers so that nobody can hand it older software, or older news.

use arrayvec::ArrayVec;
use otaru_release::{KeyId, Root};
use otaru_wire::Digest;

use crate::boot::{runs, was_given_up};
use crate::{BootFacts, EntryState, Journal, Target, Wanted};

mod codec;
mod floors;
#[cfg(test)]
mod tests;

use floors::{Floor, Floors, WHOEVER, is_revoked};

/// The device's memory of signatures. The host keeps it, as it keeps root documents.
///
/// **The rule.** Every manifest whose image was confirmed here leaves a floor, its sequence and
/// its security counter, under the key that signed it. The least that a manifest may say is the
/// highest floor of all keys but those that the newest root document *revokes*. So a revocation
/// takes back what the revoked key said, were it the highest number there is, and nothing else:
///
/// - A key that the root no longer names, and does not revoke, still binds.
/// - What runs and has no floor, because it is older than this memory or outlived it, gets one
///   under the key id of zeros: [`Trust::begin`]. Nobody knows who signed it, so no root revokes it.
/// - Numbers of what runs that no floor holds yet count for themselves, unless a revoked key's
///   floor is as high: then they are that key's, since what others signed has a floor of its own.
/// - Floors are never dropped for want of room. Those of two revoked keys become one; where there
///   are none, the lowest becomes one with that of the zeros. Only that many release keys later
///   does a revocation come too late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    floors: Floors,
    /// The image under way, and the floor it raises once it is confirmed.
    pending: Option<(Digest, Floor)>,
    seen: Option<SeenTimestamp>,
    /// There was a memory, and nobody can read it.
    is_lost: bool,
}

/// The newest timestamp, and whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenTimestamp {
    /// The server key that signed it.
    pub key: KeyId,
    /// When; seconds since 1970.
    pub signed_at: i64,
}

/// The least that a manifest may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Least {
    /// Its sequence number.
    pub sequence: u64,
    /// Its security counter.
    pub security_counter: u32,
}

impl Trust {
    /// The longest [`Trust::to_bytes`].
    pub const BYTES_MAX: usize = codec::BYTES_MAX;

    /// The memory as bytes, for a store that keeps them whole or not at all.
    pub fn to_bytes(&self) -> ArrayVec<u8, { Trust::BYTES_MAX }> {
        codec::write(self)
    }

    /// Reads [`Trust::to_bytes`] back; no bytes are a new device's. Anything else is a memory that
    /// was lost and begins anew: see [`Trust::is_lost`].
    pub fn from_bytes(bytes: &[u8]) -> Trust {
        let unreadable = || Trust { is_lost: !bytes.is_empty(), ..Trust::default() };
        codec::read(bytes).unwrap_or_else(unreadable)
    }

    /// Whether the bytes it was read from could not be: to be reported as
    /// [`Reason::TrustLost`](otaru_wire::Reason::TrustLost), until [`Trust::begin`].
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// After each boot, and after the agent's first effects: what runs gets a floor if it has
    /// none. Says whether the memory has to be kept.
    ///
    /// What is on trial waits for its end, and what rolled back gets none. What was expected and
    /// stays is its signer's, as where power went away between taking another manifest for it and
    /// confirming that.
    pub fn begin(&mut self, facts: &BootFacts, journal: &Journal, root: Option<&dyn Root>) -> bool {
        let was_lost = core::mem::take(&mut self.is_lost);
        let running = &facts.running;
        // Its attempt has not ended: it may be on trial, whatever its entry says.
        let is_under_way = journal.attempt.as_ref().is_some_and(|attempt| runs(attempt, facts));
        let rolled_back = was_given_up(journal, running.sha256);
        let is_expected = self.pending.is_some_and(|(pending, _)| pending == running.sha256);
        let may_not_stay = match facts.running_entry {
            EntryState::New | EntryState::PendingVerify => true,
            // On trial as well, where power went in the bootloader's own write of its entry, or a
            // bit of the confirmed one turned over before it had one.
            EntryState::Undefined | EntryState::Missing => is_expected || rolled_back,
            // Given up, and started for want of anything better.
            EntryState::Invalid | EntryState::Aborted | EntryState::WornOut => true,
            EntryState::Valid => false,
        };
        if may_not_stay || is_under_way {
            return was_lost;
        }
        let was_expected = self.confirm(&running.sha256, root);
        let security_counter = running.security_counter.max(journal.security_floor);
        let mut new = Floor { key: WHOEVER, sequence: running.sequence, security_counter };
        for floor in &self.floors {
            if floor.sequence >= new.sequence {
                new.sequence = 0;
            }
            if floor.security_counter >= new.security_counter {
                new.security_counter = 0;
            }
        }
        let is_news = new.sequence > 0 || new.security_counter > 0;
        if is_news {
            floors::raise(&mut self.floors, new, root);
        }
        was_lost || was_expected || is_news
    }

    /// Notes whose manifest the image under way has; to be kept before its first erase.
    pub fn expect(&mut self, target: &Target, signer: KeyId) {
        let Target { sequence, security_counter, .. } = *target;
        self.pending = Some((target.sha256, Floor { key: signer, sequence, security_counter }));
    }

    /// The image is confirmed: its signer's manifests below it are not taken again. Says
    /// whether anything changed.
    pub fn confirm(&mut self, sha256: &Digest, root: Option<&dyn Root>) -> bool {
        let Some((_, new)) = self.pending.take_if(|(pending, _)| pending == sha256) else {
            return false;
        };
        floors::raise(&mut self.floors, new, root);
        true
    }

    /// The least a manifest may say under `root`: see [`Trust`].
    pub fn least(&self, root: &dyn Root, wanted: &Wanted) -> Least {
        let mut least =
            Least { sequence: wanted.running_sequence, security_counter: wanted.security_floor };
        let of = |is_wanted: bool| {
            let floors = self.floors.iter();
            floors.filter(move |floor| is_revoked(floor.key, Some(root)) == is_wanted)
        };
        if of(true).any(|floor| floor.sequence >= least.sequence) {
            least.sequence = 0;
        }
        if of(true).any(|floor| floor.security_counter >= least.security_counter) {
            least.security_counter = 0;
        }
        for floor in of(false) {
            least.sequence = least.sequence.max(floor.sequence);
            least.security_counter = least.security_counter.max(floor.security_counter);
        }
        least
    }

    /// The highest sequence that was confirmed here under a key which `root` does not revoke: what
    /// knows of less is from before. 0 for none.
    pub fn highest_sequence(&self, root: &dyn Root) -> u64 {
        let good = self.floors.iter().filter(|floor| !is_revoked(floor.key, Some(root)));
        good.map(|floor| floor.sequence).max().unwrap_or(0)
    }

    /// The newest timestamp seen of the server key that `root` names.
    pub fn seen_timestamp(&self, root: &dyn Root) -> Option<SeenTimestamp> {
        let key = root.server_key()?.id();
        self.seen.filter(|seen| seen.key == key)
    }

    /// Remembers a fresh timestamp. Says whether anything changed.
    pub fn see(&mut self, seen: SeenTimestamp) -> bool {
        self.seen.replace(seen) != Some(seen)
    }
}
