//! What a device remembers so that nobody can hand it older software, or older news.

use alloc::vec::Vec;

use otaru_release::{KeyId, RootDocument};
use otaru_wire::Digest;

use crate::{Target, Wanted};

mod codec;
#[cfg(test)]
mod tests;

/// More release keys than a product has in its life; the lowest floor of a revoked key goes first.
const MAX_FLOORS: usize = 16;

/// The device's memory of signatures. The host keeps it, as it keeps root documents.
///
/// Floors are kept by the key that signed them: what a stolen key raised to the sky is worth
/// nothing once the root revokes it. What other keys raised stays, those that were replaced included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    floors: Vec<Floor>,
    /// The image under way, and the floor it raises once it is confirmed.
    pending: Option<(Digest, Floor)>,
    seen: Option<SeenTimestamp>,
}

/// The highest of one key's manifests that was confirmed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Floor {
    key: KeyId,
    sequence: u64,
    security_counter: u32,
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
    /// The memory as bytes, for a store that keeps them whole or not at all.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::write(self)
    }

    /// Reads [`Trust::to_bytes`] back. Anything else is a memory that begins anew.
    pub fn from_bytes(bytes: &[u8]) -> Trust {
        codec::read(bytes).unwrap_or_default()
    }

    /// Notes whose manifest the image under way has; to be kept before its first erase.
    pub fn expect(&mut self, target: &Target, signer: KeyId) {
        let Target { sequence, security_counter, .. } = *target;
        self.pending = Some((target.sha256, Floor { key: signer, sequence, security_counter }));
    }

    /// The image is confirmed: its signer's manifests below it are not taken again. Says
    /// whether anything changed.
    pub fn confirm(&mut self, sha256: &Digest, root: Option<&RootDocument>) -> bool {
        let Some((_, new)) = self.pending.take_if(|(pending, _)| pending == sha256) else {
            return false;
        };
        match self.floors.iter_mut().find(|floor| floor.key == new.key) {
            Some(floor) => {
                floor.sequence = floor.sequence.max(new.sequence);
                floor.security_counter = floor.security_counter.max(new.security_counter);
            }
            None => {
                self.make_room(root);
                self.floors.push(new);
            }
        }
        true
    }

    /// The least a manifest may say under `root`: by the floors of all keys but those it revokes,
    /// and by what runs.
    pub fn least(&self, root: &RootDocument, wanted: &Wanted) -> Least {
        let mut least =
            Least { sequence: wanted.running_sequence, security_counter: wanted.security_floor };
        let (revoked, good): (Vec<&Floor>, Vec<&Floor>) =
            self.floors.iter().partition(|floor| root.revoked.contains(&floor.key));
        // What runs, or was confirmed once, may owe its numbers to a revoked key.
        if revoked.iter().any(|floor| floor.sequence == least.sequence) {
            least.sequence = 0;
        }
        if revoked.iter().any(|floor| floor.security_counter == least.security_counter) {
            least.security_counter = 0;
        }
        for floor in good {
            least.sequence = least.sequence.max(floor.sequence);
            least.security_counter = least.security_counter.max(floor.security_counter);
        }
        least
    }

    /// The highest sequence that was confirmed here under a key which `root` does not revoke: what
    /// knows of less is from before. 0 for none.
    pub fn highest_sequence(&self, root: &RootDocument) -> u64 {
        let good = self.floors.iter().filter(|floor| !root.revoked.contains(&floor.key));
        good.map(|floor| floor.sequence).max().unwrap_or(0)
    }

    /// The newest timestamp seen of the server key that `root` names.
    pub fn seen_timestamp(&self, root: &RootDocument) -> Option<SeenTimestamp> {
        let key = root.server_key.as_ref()?.id();
        self.seen.filter(|seen| seen.key == key)
    }

    /// Remembers a fresh timestamp. Says whether anything changed.
    pub fn see(&mut self, seen: SeenTimestamp) -> bool {
        self.seen.replace(seen) != Some(seen)
    }

    fn make_room(&mut self, root: Option<&RootDocument>) {
        if self.floors.len() < MAX_FLOORS {
            return;
        }
        let is_revoked = |key| root.is_some_and(|root| root.revoked.contains(&key));
        let worth = |floor: &Floor| (!is_revoked(floor.key), floor.sequence);
        let least = (0..self.floors.len()).min_by_key(|&index| worth(&self.floors[index]));
        if let Some(least) = least {
            self.floors.remove(least);
        }
    }
}
