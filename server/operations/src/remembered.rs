use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use otaru_wire::Digest;

/// Credentials remembered at once; each takes about as much as it is long.
const MOST: usize = 10_000;

/// Those that are forgotten when there are too many.
const FORGOTTEN: usize = MOST / 8;

/// What was found out about credentials, by their digests.
pub(crate) struct Remembered<T>(Mutex<HashMap<Digest, T>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Remembered(Mutex::default())
    }
}

impl<T: Clone> Remembered<T> {
    /// What was found out before, if it still holds.
    pub(crate) fn find(&self, digest: &Digest, holds: impl Fn(&T) -> bool) -> Option<T> {
        self.lock().get(digest).filter(|known| holds(known)).cloned()
    }

    /// Remembers one more, in place of such as hold no longer if there are too many.
    pub(crate) fn keep(&self, digest: Digest, known: T, holds: impl Fn(&T) -> bool) {
        let mut all = self.lock();
        if all.len() >= MOST && !all.contains_key(&digest) {
            all.retain(|_, known| holds(known));
            let surplus = if all.len() >= MOST { FORGOTTEN } else { 0 };
            // Whichever: they are looked into again when they come.
            let some: Vec<Digest> = all.keys().take(surplus).copied().collect();
            some.iter().for_each(|digest| drop(all.remove(digest)));
        }
        all.insert(digest, known);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, T>> {
        // Each entry is whole whatever happened to who held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    #[test]
    fn what_holds_no_longer_is_not_found() {
        let remembered = Remembered::default();
        remembered.keep(digest(1), 7, |_| true);
        assert_eq!(remembered.find(&digest(1), |known| *known == 7), Some(7));
        assert_eq!(remembered.find(&digest(1), |known| *known != 7), None);
        assert_eq!(remembered.find(&digest(2), |_| true), None);
    }

    #[test]
    fn there_are_never_too_many_and_those_that_hold_no_longer_go_first() {
        let remembered = Remembered::default();
        for number in 0..MOST {
            remembered.keep(digest(number), number, |_| true);
        }
        remembered.keep(digest(MOST), MOST, |number| *number >= 10);
        assert_eq!(remembered.lock().len(), MOST - 9);
        for number in MOST + 1..2 * MOST {
            remembered.keep(digest(number), number, |_| true);
            assert!(remembered.lock().len() <= MOST);
        }
        assert!(remembered.find(&digest(2 * MOST - 1), |_| true).is_some());
    }
}
