//! Floors by the key that raised them, in bounded room.

use arrayvec::ArrayVec;
use otaru_release::{KeyId, Root};

/// More release keys than a product has in its life.
pub(super) const MAX_FLOORS: usize = 16;

/// See [`MAX_FLOORS`].
pub(super) type Floors = ArrayVec<Floor, MAX_FLOORS>;

/// Stands for whoever signed what no signer is known of. No root document can revoke it.
pub(super) const WHOEVER: KeyId = KeyId([0; 8]);

/// The highest of one key's manifests that was confirmed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Floor {
    pub(super) key: KeyId,
    pub(super) sequence: u64,
    pub(super) security_counter: u32,
}

impl Floor {
    fn rise(&mut self, other: &Floor) {
        self.sequence = self.sequence.max(other.sequence);
        self.security_counter = self.security_counter.max(other.security_counter);
    }
}

pub(super) fn is_revoked(key: KeyId, root: Option<&dyn Root>) -> bool {
    key != WHOEVER && root.is_some_and(|root| root.revokes(key))
}

/// Raises the floor of `new`'s key.
pub(super) fn raise(floors: &mut Floors, new: Floor, root: Option<&dyn Root>) {
    if let Some(floor) = floors.iter_mut().find(|floor| floor.key == new.key) {
        return floor.rise(&new);
    }
    while floors.is_full() {
        merge(floors, root);
    }
    // There is room for it now.
    let _ = floors.try_push(new);
}

/// Makes one floor of two, or that of whoever of another, so that none is forgotten.
fn merge(floors: &mut Floors, root: Option<&dyn Root>) {
    if let Some(kept) = first_revoked(floors, root, 0)
        && let Some(gone) = first_revoked(floors, root, kept + 1)
        && let Some(gone) = floors.pop_at(gone)
        && let Some(kept) = floors.get_mut(kept)
    {
        return kept.rise(&gone);
    }
    let mut lowest: Option<(usize, u64)> = None;
    for (place, floor) in floors.iter().enumerate() {
        let is_named = floor.key != WHOEVER && !is_revoked(floor.key, root);
        if is_named && lowest.is_none_or(|(_, lowest)| floor.sequence < lowest) {
            lowest = Some((place, floor.sequence));
        }
    }
    let Some(gone) = lowest.and_then(|(lowest, _)| floors.pop_at(lowest)) else { return };
    let gone = Floor { key: WHOEVER, ..gone };
    match floors.iter_mut().find(|floor| floor.key == WHOEVER) {
        Some(whoever) => whoever.rise(&gone),
        None => {
            // It was there, so there is room.
            let _ = floors.try_push(gone);
        }
    }
}

/// The first floor of a revoked key from that place on.
#[inline(never)] // A chip has room for it once.
fn first_revoked(floors: &Floors, root: Option<&dyn Root>, from: usize) -> Option<usize> {
    let is_revoked = |floor: &Floor| is_revoked(floor.key, root);
    Some(from + floors.get(from..)?.iter().position(is_revoked)?)
}
