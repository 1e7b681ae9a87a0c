//! What this board is beside updating itself: a clock that tells the time in phrases.

use core::fmt::Write;

use alloc::vec;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use otaru_agent::{AgentConfig, Before, Decision, Hold, LogLine, Question};
use otaru_firmware::{Board, Buttons, Line};
use otaru_slots::Slot;
use otaru_wire::Reason;

use crate::chip::handover::{self, Cause};
use crate::chip::nor::Nor;
use crate::chip::serial::Serial;
use crate::chip::time::uptime_ms;
use crate::chip::virtio::Net;
use crate::chip::watchdog::Watchdog;
use crate::chip::{heap, power, stack};
use crate::partitions::{self, PROOF_BYTES};
use crate::{proof, say};

/// Behind these lines of the log it is told how much memory was ever in use.
const MEMORY_AT: [&str; 2] = ["BROKER_CONNECTED", "OTA_RECEIVED"];
/// How long a clock that must not be disturbed puts a restart off, if nobody says that it may.
const DISTURB_AFTER_MS: u64 = 3_600_000;

/// The product.
pub struct Clock {
    /// Whether it finds itself good enough to stay.
    pub is_good: bool,
    /// What resets it where it is stuck.
    pub watchdog: Option<Watchdog>,
    /// Whether somebody sleeps beside it: a setting.
    pub is_not_to_be_disturbed: bool,
    /// What it says to the agent of its own accord.
    pub buttons: &'static Buttons,
}

impl Clock {
    fn say_phrase(value: &str) -> bool {
        let phrase = match value {
            "\"classic\"" => "It is half past ten.",
            "\"poetic\"" => "The tenth hour leans on its half.",
            _ => return false,
        };
        say!("info", "PHRASE", "text": phrase);
        true
    }

    fn be_quiet(&mut self, value: &str) -> bool {
        let Ok(is_quiet) = value.parse() else { return false };
        self.is_not_to_be_disturbed = is_quiet;
        self.buttons.changed();
        true
    }
}

impl Board for Clock {
    type Flash = Nor;

    fn log(&mut self, line: &LogLine<'_>) {
        // The port takes everything.
        let _ = writeln!(Serial, "{}", Line { uptime_ms: uptime_ms(), line });
        if line.code.is_some_and(|code| MEMORY_AT.contains(&code)) {
            tell_memory();
        }
    }

    fn configure(&self, config: AgentConfig) -> AgentConfig {
        // Nobody waits ten minutes at a desk.
        AgentConfig { retry_base_ms: 1000, retry_cap_ms: 10_000, broker_limit_ms: 20_000, ..config }
    }

    fn apply_setting(&mut self, name: &str, value: &str) -> bool {
        match name {
            "phrase_type" => Clock::say_phrase(value),
            "do_not_disturb" => self.be_quiet(value),
            _ => false,
        }
    }

    fn decide(&mut self, question: &Question) -> Decision {
        match question.before {
            Before::Restart if self.is_not_to_be_disturbed => {
                Decision::Later { wait_ms: DISTURB_AFTER_MS, hold: Hold::Busy }
            }
            Before::Download | Before::Restart => Decision::Now,
        }
    }

    fn self_test(&mut self) -> Result<(), Reason> {
        if self.is_good { Ok(()) } else { Err(Reason::SelfTestFailed) }
    }

    fn alive(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.feed();
        }
    }

    fn keeps_proof(&self) -> bool {
        true
    }

    fn has_room_for_proof(&self, documents: &[&[u8]]) -> bool {
        proof::length(documents) <= PROOF_BYTES as usize
    }

    fn keep_proof(
        &mut self,
        flash: &mut Nor,
        slot: Slot,
        documents: &[&[u8]],
    ) -> Result<(), Reason> {
        let mut bytes = vec![0xFF; PROOF_BYTES as usize];
        let length = proof::write(documents, &mut bytes).ok_or(Reason::StorageFull)?;
        let length = length.next_multiple_of(Nor::WRITE_SIZE);
        let region = partitions::proof_of(slot);
        let failed = |_| Reason::FlashFailed;
        flash.erase(region.offset, region.end()).map_err(failed)?;
        // The head last: without it what is behind it is nothing.
        let (head, rest) = bytes[..length].split_at(proof::HEAD_BYTES);
        flash.write(region.offset + proof::HEAD_BYTES as u32, rest).map_err(failed)?;
        flash.write(region.offset, head).map_err(failed)?;
        let mut found = vec![0; length];
        flash.read(region.offset, &mut found).map_err(failed)?;
        if found == bytes[..length] { Ok(()) } else { Err(Reason::FlashFailed) }
    }

    fn restart(&mut self) -> ! {
        tell_memory();
        say!("info", "RESTARTING");
        handover::leave_last_words(Cause::Software);
        power::reset()
    }
}

fn tell_memory() {
    say!(
        "info", "MEMORY", "heap_peak_bytes": heap::peak_bytes(), "heap_bytes": heap::BYTES,
        "stack_peak_bytes": stack::peak_bytes(), "driver_bytes": Net::MEMORY_BYTES,
    );
}
