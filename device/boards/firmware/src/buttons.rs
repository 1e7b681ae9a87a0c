//! What somebody at the device did, until the agent has time for it.

use core::cell::RefCell;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use otaru_agent::Input;
use otaru_wire::ReleaseVersion;
use otaru_wire::payload::OfferDecision;

/// What was pressed and nobody has looked at yet. Pressed again and again, it counts once.
#[derive(Default)]
struct Pressed {
    has_changed: bool,
    decided: Option<(ReleaseVersion, OfferDecision)>,
}

/// The way from a product's own tasks, and from its interrupts, to the agent.
pub struct Buttons {
    pressed: Mutex<CriticalSectionRawMutex, RefCell<Pressed>>,
    wake: Signal<CriticalSectionRawMutex, ()>,
}

impl Buttons {
    /// Nothing pressed yet.
    pub const fn new() -> Buttons {
        let pressed = Pressed { has_changed: false, decided: None };
        Buttons { pressed: Mutex::new(RefCell::new(pressed)), wake: Signal::new() }
    }

    /// Has the product asked again now if an update waits for it: somebody pressed the button,
    /// or the work is done.
    pub fn changed(&self) {
        self.press(|pressed| pressed.has_changed = true);
    }

    /// Somebody at the device decided about the release on the screen.
    pub fn decide_offer(&self, version: ReleaseVersion, decision: OfferDecision) {
        self.press(|pressed| pressed.decided = Some((version, decision)));
    }

    fn press(&self, note: impl FnOnce(&mut Pressed)) {
        self.pressed.lock(|pressed| note(&mut pressed.borrow_mut()));
        self.wake.signal(());
    }

    /// The next thing that was pressed.
    pub(crate) fn take(&self) -> Option<Input<'static>> {
        self.pressed.lock(|pressed| {
            let mut pressed = pressed.borrow_mut();
            if core::mem::take(&mut pressed.has_changed) {
                return Some(Input::DecisionChanged);
            }
            let (version, decision) = pressed.decided.take()?;
            Some(Input::OfferDecided { version, decision })
        })
    }

    /// Returns when something was pressed since it returned last.
    pub(crate) async fn pressed(&self) {
        self.wake.wait().await;
    }
}

impl Default for Buttons {
    fn default() -> Buttons {
        Buttons::new()
    }
}
