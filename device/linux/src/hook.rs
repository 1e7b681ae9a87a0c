//! The product's own word on when an update may go on.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otaru_agent::{Decision, Input, Question};
use otaru_wire::ReleaseVersion;
use otaru_wire::payload::{OfferDecision, UpdateOffer};
use tokio::sync::Notify;

mod scripted;

/// What was pressed and nobody has looked at yet.
#[derive(Default)]
struct Buttons {
    pressed: Mutex<VecDeque<Input<'static>>>,
    notify: Notify,
}

impl Buttons {
    fn pressed(&self) -> MutexGuard<'_, VecDeque<Input<'static>>> {
        self.pressed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn press(&self, input: Input<'static>) {
        let mut pressed = self.pressed();
        // Pressed again and again, it counts once.
        pressed.retain(|waiting| std::mem::discriminant(waiting) != std::mem::discriminant(&input));
        pressed.push_back(input);
        self.notify.notify_one();
    }
}

type Show = dyn Fn(Option<UpdateOffer>) + Send + Sync;
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
    show: Option<Arc<Show>>,
    buttons: Arc<Buttons>,
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
        Hook { decide, show: None, buttons: Arc::default() }
    }

    /// Has the product asked again now if an update waits for it: somebody pressed the button,
    /// or the work is done.
    pub fn changed(&self) {
        self.buttons.press(Input::DecisionChanged);
    }

    /// The same hook with a screen: `show` is called with the release that can be installed, or
    /// with none any more, and whoever stands before it answers with [`Hook::decide_offer`].
    ///
    /// The server offers only what its rules ask about, and only where the product lets people
    /// at the device decide (`ask_on_device`). After a restart what is offered is shown again.
    #[must_use]
    pub fn with_screen(self, show: impl Fn(Option<UpdateOffer>) + Send + Sync + 'static) -> Hook {
        Hook { show: Some(Arc::new(show)), ..self }
    }

    /// Somebody at the device decided about the release on the screen.
    pub fn decide_offer(&self, version: ReleaseVersion, decision: OfferDecision) {
        self.buttons.press(Input::OfferDecided { version, decision });
    }

    pub(crate) fn has_screen(&self) -> bool {
        self.show.is_some()
    }

    pub(crate) fn show(&self, offer: Option<UpdateOffer>) {
        if let Some(show) = &self.show {
            show(offer);
        }
    }

    pub(crate) fn ask(&self, question: Question) -> impl Future<Output = Decision> + Send + use<> {
        (self.decide)(question)
    }

    /// The next thing that was pressed.
    pub(crate) async fn next_press(&self) -> Input<'static> {
        loop {
            if let Some(pressed) = self.buttons.pressed().pop_front() {
                return pressed;
            }
            self.buttons.notify.notified().await;
        }
    }
}

/// A product that minds nothing.
impl Default for Hook {
    fn default() -> Hook {
        Hook::new(|_| std::future::ready(Decision::Now))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
