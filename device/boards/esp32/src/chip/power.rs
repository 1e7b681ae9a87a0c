//! Resets: why there was one, how to make one, and who makes one if nothing else does.

use core::ptr::{read_volatile, write_volatile};

use esp_hal::peripherals::RTC_TIMER;
use esp_hal::rtc_cntl::{Rtc, RwdtStage, RwdtStageAction, SocResetReason};
use esp_hal::system::reset_reason;
use esp_hal::time::Duration;
use otaru_agent::ResetCause;

/// Without a sign of life for so long the chip is reset. A slot is hashed in a part of it.
const WATCHDOG: Duration = Duration::from_secs(8);
/// Until the agent has started: behind an update that failed it hashes both slots twice, and feeds
/// nobody meanwhile.
const WATCHDOG_OF_START: Duration = Duration::from_secs(60);

/// Memory that a software reset leaves as it is.
#[esp_hal::ram(unstable(rtc_fast, persistent))]
static mut LAST_WORDS: u32 = 0;

const SOFTWARE: u32 = 0x1E55_AA02;
const PANIC: u32 = 0x1E55_AA04;
const WATCHED: u32 = 0x1E55_AA08;
const POWER_ON: u32 = 0x1E55_AA10;

/// Says why the reset that comes now is made.
fn leave(word: u32) {
    // SAFETY: there is one processor, and whoever writes here resets it at once.
    unsafe { write_volatile(&raw mut LAST_WORDS, word) };
}

/// Why the processor started. Says so once: what is asked next does not find the last words.
pub fn take_cause() -> ResetCause {
    // SAFETY: nobody else looks, and any bits are a number.
    let words = unsafe { read_volatile(&raw const LAST_WORDS) };
    leave(0);
    match reset_reason() {
        Some(SocResetReason::CoreSw | SocResetReason::Cpu0Sw) => match words {
            SOFTWARE => ResetCause::Software,
            WATCHED => ResetCause::Watchdog,
            POWER_ON => ResetCause::PowerOn,
            PANIC => ResetCause::Panic,
            // Words of another build, which the linker put elsewhere: it went on to this one.
            _ => ResetCause::Software,
        },
        Some(
            SocResetReason::CoreMwdt0
            | SocResetReason::CoreMwdt1
            | SocResetReason::CoreRtcWdt
            | SocResetReason::Cpu0Mwdt0
            | SocResetReason::Cpu0Mwdt1
            | SocResetReason::Cpu0RtcWdt
            | SocResetReason::SysRtcWdt
            | SocResetReason::SysSuperWdt,
        ) => ResetCause::Watchdog,
        // A brown-out, a cable, or power.
        _ => ResetCause::PowerOn,
    }
}

/// Resets, because the firmware wants it.
pub fn restart() -> ! {
    leave(SOFTWARE);
    esp_hal::system::software_reset()
}

/// Resets, because the firmware gave up.
pub fn give_up() -> ! {
    leave(PANIC);
    esp_hal::system::software_reset()
}

/// Resets so that the next start is told what this one was.
pub fn hand_on(cause: ResetCause) -> ! {
    leave(match cause {
        ResetCause::PowerOn => POWER_ON,
        ResetCause::Software => SOFTWARE,
        ResetCause::Panic => PANIC,
        ResetCause::Watchdog => WATCHED,
    });
    esp_hal::system::software_reset()
}

/// The watchdog that goes on whatever the processor does.
pub struct Watchdog {
    rtc: Rtc<'static>,
    is_stretched: bool,
}

impl Watchdog {
    /// From now on the chip is reset unless it is fed.
    pub fn arm(timer: RTC_TIMER<'static>) -> Watchdog {
        let mut rtc = Rtc::new(timer);
        rtc.rwdt.enable();
        rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG);
        // Not of the whole system: that would forget the last words.
        rtc.rwdt.set_stage_action(RwdtStage::Stage0, RwdtStageAction::ResetCore);
        rtc.rwdt.feed();
        Watchdog { rtc, is_stretched: false }
    }

    /// Begins its time anew.
    pub fn feed(&mut self) {
        if self.is_stretched {
            self.is_stretched = false;
            self.rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG);
        }
        self.rtc.rwdt.feed();
    }

    /// Gives the start of the agent its time: until it is fed next.
    pub fn stretch(&mut self) {
        self.is_stretched = true;
        self.rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG_OF_START);
        self.rtc.rwdt.feed();
    }
}
