//! A product on this board.

use alloc::boxed::Box;
use alloc::format;

use esp_storage::FlashStorage;
use otaru_agent::{AgentConfig, Decision, LogLine, Question};
use otaru_firmware::Board;
use otaru_wire::Reason;
use otaru_wire::payload::{LogLevel, UpdateOffer};

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

    /// What this product wants otherwise than everybody: a part of the day for its restarts
    /// (`restart_window`), or a screen of its own (`shows_offers`).
    fn configure(&self, config: AgentConfig) -> AgentConfig {
        config
    }

    /// Milliseconds since 1970 where the product has set a clock: a restart window is kept by it.
    fn wall_ms(&self) -> Option<i64> {
        None
    }

    /// Whether an update may go on: asked before a download and before the restart, and again
    /// behind every later. A person is asked by saying later, and [`buttons`](crate::buttons) when
    /// there is another answer.
    fn decide(&mut self, _question: &Question) -> Decision {
        Decision::Now
    }

    /// Shows this release as one that can be installed, or nothing any more, where
    /// [`Product::configure`] sets `shows_offers`; [`buttons`](crate::buttons) takes the answer.
    fn show_offer(&mut self, _offer: Option<&UpdateOffer>) {}
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

    fn configure(&self, config: AgentConfig) -> AgentConfig {
        self.product.configure(config)
    }

    fn chip_revision(&self) -> Option<u16> {
        Some(esp_hal::efuse::chip_revision().combined())
    }

    fn wall_ms(&self) -> Option<i64> {
        self.product.wall_ms()
    }

    fn decide(&mut self, question: &Question) -> Decision {
        self.product.decide(question)
    }

    fn show_offer(&mut self, offer: Option<&UpdateOffer>) {
        self.product.show_offer(offer);
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
