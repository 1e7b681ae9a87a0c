//! The power of a simulated chip.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether there is power, and where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    On,
    /// It goes within the next operation that changes something, and this says at which byte.
    Goes(u64),
    Off,
}

/// The power of a chip; on at first.
#[derive(Debug, Default)]
pub(crate) struct Power(Mutex<State>);

impl Power {
    pub(crate) fn is_on(&self) -> bool {
        *self.state() != State::Off
    }

    pub(crate) fn go(&self, byte: u64) {
        *self.state() = State::Goes(byte);
    }

    pub(crate) fn come_back(&self) {
        *self.state() = State::On;
    }

    /// How many of the bytes an operation changes before power goes; all if it does not.
    pub(crate) fn reaches(&self, length: usize) -> usize {
        let mut state = self.state();
        match *state {
            State::On => length,
            State::Goes(byte) => {
                *state = State::Off;
                usize::try_from(byte % (length as u64 + 1)).unwrap_or(length)
            }
            State::Off => 0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
