//! Sixty-four bytes of RAM that survive a reset: last words, and what the bootloader tells.

use otaru_slots::Slot;

use super::{peek, poke};

const WORDS: usize = 0x8000_0000;
const SLOT: usize = WORDS + 4;
const CAUSE: usize = WORDS + 8;
const CHECK_US: usize = WORDS + 12;

/// Why the processor started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cause {
    /// Power, or a reset of whose cause nothing is known.
    PowerOn = 0x1E55_AA01,
    /// The firmware asked for it.
    Software = 0x1E55_AA02,
    /// The firmware gave up.
    Panic = 0x1E55_AA04,
    /// The watchdog was not fed.
    Watchdog = 0x1E55_AA08,
}

impl Cause {
    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::PowerOn => "power_on",
            Cause::Software => "software",
            Cause::Panic => "panic",
            Cause::Watchdog => "watchdog",
        }
    }

    fn of(word: u32) -> Cause {
        [Cause::Software, Cause::Panic, Cause::Watchdog]
            .into_iter()
            .find(|cause| *cause as u32 == word)
            .unwrap_or(Cause::PowerOn)
    }
}

/// Says why the reset that comes now was made.
pub fn leave_last_words(cause: Cause) {
    poke(WORDS, cause as u32);
}

/// What was said before the reset. The next one finds nothing.
pub fn take_last_words() -> Cause {
    let cause = Cause::of(peek(WORDS));
    poke(WORDS, 0_u32);
    cause
}

/// What the bootloader tells the application.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The slot that runs.
    pub slot: Slot,
    /// Why the processor started.
    pub cause: Cause,
    /// How long the check of the image took.
    pub check_us: u32,
}

/// The bootloader tells.
pub fn tell(told: Told) {
    poke(SLOT, told.slot.index() as u32);
    poke(CAUSE, told.cause as u32);
    poke(CHECK_US, told.check_us);
}

/// The application is told.
pub fn told() -> Told {
    let slot = if peek::<u32>(SLOT) == 1 { Slot::Ota1 } else { Slot::Ota0 };
    Told { slot, cause: Cause::of(peek(CAUSE)), check_us: peek(CHECK_US) }
}
