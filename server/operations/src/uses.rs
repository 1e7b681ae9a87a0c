use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// A use is noted when the last noted one is so old. There is one writer: it must not work
/// for every request.
const NOTE_EVERY_MS: i64 = 5 * 60_000;

/// Notes kept in memory, which only save writes.
const MOST_KEYS: usize = 10_000;

/// When sessions and tokens were last noted to be in use.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<String, i64>>);

impl Uses {
    /// Whether a use now should be written down; true once for all requests that ask at once.
    pub(crate) fn is_worth_noting(&self, key: &str, stored_at: Option<i64>, now: i64) -> bool {
        let is_recent = |at: i64| now - at < NOTE_EVERY_MS;
        if stored_at.is_some_and(is_recent) {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(key).copied().is_some_and(is_recent) {
            return false;
        }
        if noted.len() >= MOST_KEYS {
            noted.clear();
        }
        noted.insert(key.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_every_few_minutes_and_once() {
        let uses = Uses::default();
        assert!(!uses.is_worth_noting("a", Some(0), NOTE_EVERY_MS - 1));
        assert!(uses.is_worth_noting("a", Some(0), NOTE_EVERY_MS));
        assert!(!uses.is_worth_noting("a", Some(0), NOTE_EVERY_MS), "it is being written");
        assert!(uses.is_worth_noting("b", None, NOTE_EVERY_MS));
        assert!(uses.is_worth_noting("a", Some(NOTE_EVERY_MS), 2 * NOTE_EVERY_MS));
    }
}
