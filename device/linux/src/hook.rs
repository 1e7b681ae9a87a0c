//! The product's own word on when an update may go on.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use otaru_agent::{Decision, Question};
use tokio::sync::Notify;

mod scripted;

type Answer = Pin<Box<dyn Future<Output = Decision> + Send>>;

/// A product with a screen, a button or a motor: asked before a download and before the restart.
///
/// Clones are the same hook: the product keeps one and calls [`Hook::changed`].
///
/// ```
/// use otaru_linux::{Before, Decision, Hold, Hook};
///
/// let hook = Hook::new(|question| async move {
///     let is_cutting = false; // ask the machine
///     match question.before {
///         Before::Restart if is_cutting => {
///             Decision::Later { wait_ms: 10 * 60_000, hold: Hold::Busy }
///         }
///         _ => Decision::Now,
///     }
/// });
/// hook.changed(); // the cut is done: ask again at once
/// ```
#[derive(Clone)]
pub struct Hook {
    decide: Arc<dyn Fn(Question) -> Answer + Send + Sync>,
    changed: Arc<Notify>,
}

impl Hook {
    /// A hook that answers questions with `decide`.
    ///
    /// It may take its time, as long as a person may need to find the button, but not for ever:
    /// unanswered after a minute counts as later. It is dropped when nobody waits for the answer
    /// any more, and is called again after every later, after a restart and for every resumed
    /// download: what a person said is for the product to remember.
    pub fn new<F, A>(decide: F) -> Hook
    where
        F: Fn(Question) -> A + Send + Sync + 'static,
        A: Future<Output = Decision> + Send + 'static,
    {
        let decide = Arc::new(move |question| Box::pin(decide(question)) as Answer);
        Hook { decide, changed: Arc::new(Notify::new()) }
    }

    /// Has the product asked again now if an update waits for it: somebody pressed the button,
    /// or the work is done.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn ask(&self, question: Question) -> impl Future<Output = Decision> + Send + use<> {
        (self.decide)(question)
    }

    /// Completes when the product called [`Hook::changed`].
    pub(crate) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
