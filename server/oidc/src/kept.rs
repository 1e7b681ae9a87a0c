//! A document of a provider, kept until it is too old or lacks something.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::OidcError;

/// A document so old is read again before it is used.
const FRESH_MS: i64 = 60 * 60_000;

/// One so old is not used any more, even if there is no other.
const KEPT_MS: i64 = 24 * 60 * 60_000;

/// However many ask for what the document lacks, the provider is asked once in so long.
const ASK_EVERY_MS: i64 = 30_000;

/// The last document that was read.
pub(crate) struct Kept<T> {
    held: Mutex<Held<T>>,
    asking: tokio::sync::Mutex<()>,
}

struct Held<T> {
    document: Option<(Arc<T>, i64)>,
    asked_at: Option<i64>,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        let held = Held { document: None, asked_at: None };
        Kept { held: Mutex::new(held), asking: tokio::sync::Mutex::default() }
    }
}

impl<T> Kept<T> {
    /// A document that has what is `wanted`, or else the newest there is: read again when the
    /// one that is kept is old or lacks it.
    ///
    /// Whoever finds what they want in an old document does not wait for a new one that
    /// somebody else is reading.
    pub(crate) async fn get(
        &self,
        now: i64,
        wanted: impl Fn(&T) -> bool,
        read: impl Future<Output = Result<T, OidcError>>,
    ) -> Result<Arc<T>, OidcError> {
        let held = self.held(now);
        let has_it = held.as_ref().is_some_and(|(document, _)| wanted(document));
        if let Some((document, true)) = held.as_ref().filter(|_| has_it) {
            return Ok(document.clone());
        }
        let turn = match (has_it, self.asking.try_lock()) {
            (_, Ok(turn)) => turn,
            (true, Err(_)) => return Ok(held.map(|(document, _)| document).expect("it has it")),
            (false, Err(_)) => self.asking.lock().await,
        };
        // Who had the turn before may have read it.
        let held = self.held(now);
        if let Some((document, true)) = &held
            && wanted(document)
        {
            return Ok(document.clone());
        }
        if !self.may_ask(now) {
            return held.map(|(document, _)| document).ok_or(OidcError::Silent);
        }
        let outcome = read.await;
        // Not before: who gives up waiting must not keep others from asking.
        self.lock().asked_at = Some(now);
        drop(turn);
        match (outcome, held) {
            (Ok(document), _) => Ok(self.hold(document, now)),
            (Err(error), None) => Err(error),
            (Err(error), Some((old, _))) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "A provider's document is old and could not be read again");
                Ok(old)
            }
        }
    }

    /// What is kept, and whether it is fresh.
    fn held(&self, now: i64) -> Option<(Arc<T>, bool)> {
        let held = self.lock();
        let (document, read_at) = held.document.as_ref()?;
        let age = now - read_at;
        (age < KEPT_MS).then(|| (document.clone(), age < FRESH_MS))
    }

    fn may_ask(&self, now: i64) -> bool {
        self.lock().asked_at.is_none_or(|at| !(0..ASK_EVERY_MS).contains(&(now - at)))
    }

    fn hold(&self, document: T, now: i64) -> Arc<T> {
        let document = Arc::new(document);
        self.lock().document = Some((document.clone(), now));
        document
    }

    fn lock(&self) -> MutexGuard<'_, Held<T>> {
        // What is held is whole whatever happened to who held it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A provider that publishes the next number each time it is asked.
    #[derive(Default)]
    struct Numbers {
        kept: Kept<u32>,
        asked: Cell<u32>,
        is_away: Cell<bool>,
    }

    impl Numbers {
        async fn at(&self, now: i64, wanted: u32) -> Option<u32> {
            let read = async {
                self.asked.set(self.asked.get() + 1);
                if self.is_away.get() { Err(OidcError::Silent) } else { Ok(self.asked.get()) }
            };
            self.kept.get(now, |number| *number >= wanted, read).await.ok().map(|number| *number)
        }
    }

    #[tokio::test]
    async fn it_is_read_once_and_again_when_it_is_old() {
        let numbers = Numbers::default();
        assert_eq!(numbers.at(0, 1).await, Some(1));
        assert_eq!(numbers.at(FRESH_MS - 1, 1).await, Some(1));
        assert_eq!(numbers.at(FRESH_MS, 1).await, Some(2));
        assert_eq!(numbers.asked.get(), 2);
    }

    #[tokio::test]
    async fn what_it_lacks_is_asked_for_now_and_then() {
        let numbers = Numbers::default();
        numbers.at(0, 1).await;
        assert_eq!(numbers.at(1, 9).await, Some(1), "asked a moment ago");
        assert_eq!(numbers.at(ASK_EVERY_MS, 9).await, Some(2));
        for _ in 0..100 {
            assert_eq!(numbers.at(2 * ASK_EVERY_MS - 1, 9).await, Some(2));
        }
        assert_eq!(numbers.asked.get(), 2);
    }

    #[tokio::test]
    async fn an_old_one_does_for_a_day_while_the_provider_is_away() {
        let numbers = Numbers::default();
        numbers.at(0, 1).await;
        numbers.is_away.set(true);
        assert_eq!(numbers.at(KEPT_MS - 1, 1).await, Some(1));
        assert_eq!(numbers.at(KEPT_MS + ASK_EVERY_MS, 1).await, None);
        numbers.is_away.set(false);
        assert_eq!(numbers.at(KEPT_MS + ASK_EVERY_MS + 1, 1).await, None, "left alone a moment");
        assert_eq!(numbers.at(KEPT_MS + 2 * ASK_EVERY_MS, 1).await, Some(4));
    }
}
