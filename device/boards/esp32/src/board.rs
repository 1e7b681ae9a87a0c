//! A product on this board.

use alloc::boxed::Box;
use alloc::format;

use esp_storage::FlashStorage;
use otaru_agent::LogLine;
use otaru_firmware::Board;
use otaru_wire::Reason;
use otaru_wire::payload::LogLevel;

use crate::chip::power::{self, Watchdog};
use crate::chip::serial;

/// What is the product's own. Nothing here may wait: it is asked between two packets, with the
/// watchdog running.
pub trait Product {
    /// Applies a setting: name and value as they stand in JSON, so that text has its quotes.
    /// `false` refuses it, which its owner sees. After a start every setting in force comes again.
    fn apply_setting(&mut self, name: &str, value: &str) -> bool;

    /// Whether this firmware is good enough to stay: asked once, on trial, when the broker was
    /// reached. An error takes the device back to what ran before, and is what people read; at
    /// most a few seconds, or the watchdog says the same.
    fn self_test(&mut self) -> Result<(), Reason> {
        Ok(())
    }
}

/// A product, with the chip.
pub(crate) struct Chip {
    pub(crate) product: Box<dyn Product>,
    pub(crate) watchdog: Watchdog,
}

impl Board for Chip {
    type Flash = FlashStorage<'static>;

    fn log(&mut self, line: &LogLine<'_>) {
        serial::write(line);
    }

    fn apply_setting(&mut self, name: &str, value: &str) -> bool {
        self.product.apply_setting(name, value)
    }

    fn self_test(&mut self) -> Result<(), Reason> {
        self.product.self_test()
    }

    fn alive(&mut self) {
        self.watchdog.feed();
    }

    fn restart(&mut self) -> ! {
        let peak = format!("{}", esp_alloc::HEAP.stats().max_usage);
        serial::say(LogLevel::Info, "RESTARTING", &["heap peak: ", &peak, " bytes"]);
        power::restart()
    }
}
