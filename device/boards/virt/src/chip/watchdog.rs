//! The watchdog: QEMU's `i6300esb`, a PCI device. Without `-device i6300esb` there is none, and
//! [`Watchdog::arm`] says so.

use super::{peek, poke};

const ECAM: usize = 0x3000_0000;
/// Where PCI devices' registers may be mapped.
const WINDOW: usize = 0x4000_0000;
const VENDOR_AND_DEVICE: u32 = 0x25AB_8086;

const COMMAND: usize = 0x04;
const USES_MEMORY: u16 = 1 << 1;
const BAR_0: usize = 0x10;
const CONFIG: usize = 0x60;
/// Ticks of a millisecond, no interrupt, a reset at the end.
const RESETS: u16 = 0x0003;
const LOCK: usize = 0x68;
const ENABLED: u8 = 1 << 1;

const TIMER_1: usize = WINDOW;
const TIMER_2: usize = WINDOW + 4;
const RELOAD: usize = WINDOW + 12;
const RELOADS: u16 = 1 << 8;
const CLEARS_CAUSE: u16 = 1 << 9;
/// Read from `RELOAD` behind a reset by the watchdog.
const WAS_CAUSE: u16 = 0x1200;

/// The watchdog, once it was found.
#[derive(Debug)]
pub struct Watchdog {
    config: usize,
}

impl Watchdog {
    /// Looks for it on the bus.
    pub fn find() -> Option<Watchdog> {
        (0..32)
            .map(|device| ECAM + (device << 15))
            .find(|&config| peek::<u32>(config) == VENDOR_AND_DEVICE)
            .map(|config| {
                poke(config + BAR_0, WINDOW as u32);
                poke(config + COMMAND, USES_MEMORY);
                Watchdog { config }
            })
    }

    /// Whether it made the reset that the processor comes from. Says so once.
    pub fn take_cause(&mut self) -> bool {
        let was_cause = peek::<u16>(RELOAD) & WAS_CAUSE != 0;
        unlock();
        poke(RELOAD, CLEARS_CAUSE);
        was_cause
    }

    /// From now on the processor is reset unless it is fed within this time.
    pub fn arm(&mut self, limit_ms: u32) {
        poke(self.config + CONFIG, RESETS);
        // Two stages, one behind the other.
        for timer in [TIMER_1, TIMER_2] {
            unlock();
            poke(timer, limit_ms / 2);
        }
        poke(self.config + LOCK, ENABLED);
        self.feed();
    }

    /// Begins its time anew.
    pub fn feed(&mut self) {
        unlock();
        poke(RELOAD, RELOADS);
    }
}

/// The next write to a register counts.
fn unlock() {
    poke(RELOAD, 0x80_u16);
    poke(RELOAD, 0x86_u16);
}
