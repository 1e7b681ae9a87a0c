//! What the firmware asks of a board.

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{AgentConfig, Decision, LogLine, Question};
use otaru_slots::Slot;
use otaru_wire::Reason;
use otaru_wire::payload::UpdateOffer;

/// What is the board's own.
pub trait Board {
    /// Its flash.
    type Flash: NorFlash;

    /// Writes a line of the log.
    fn log(&mut self, line: &LogLine<'_>);

    /// Applies a setting: name and value as they stand in JSON. Whether the product takes it.
    fn apply_setting(&mut self, name: &str, value: &str) -> bool;

    /// What this product wants otherwise than everybody: a part of the day for its restarts
    /// (`restart_window`), or a screen of its own (`shows_offers`).
    fn configure(&self, config: AgentConfig) -> AgentConfig {
        config
    }

    /// The chip's revision, major × 100 + minor, where it can tell: firmware for others is refused.
    fn chip_revision(&self) -> Option<u16> {
        None
    }

    /// Milliseconds since 1970 where the clock is set. A restart window is kept by it, and what
    /// has to wait ends by it, too; nothing else needs it.
    fn wall_ms(&self) -> Option<i64> {
        None
    }

    /// Whether an update may go on: asked before a download and before the restart.
    ///
    /// It answers at once. Where a person has to be asked, or work to end, the answer is
    /// [`Decision::Later`], and [`Buttons::changed`](crate::Buttons::changed) has it asked again
    /// when there is another one. It is also asked again after every later, after a restart and
    /// for every resumed download: what a person said is for the product to remember.
    fn decide(&mut self, _question: &Question) -> Decision {
        Decision::Now
    }

    /// Shows this release as one that can be installed, or nothing any more; what somebody decides
    /// is [`Buttons::decide_offer`](crate::Buttons::decide_offer). Called where
    /// [`Board::configure`] sets `shows_offers`; after a restart what is offered is shown again.
    fn show_offer(&mut self, _offer: Option<&UpdateOffer>) {}

    /// Whether this firmware is good enough to stay.
    fn self_test(&mut self) -> Result<(), Reason>;

    /// The device is not stuck: for a watchdog. It hears this once a second at least, but for
    /// as long as a slot is verified or the self-test runs; and not before
    /// [`Device::run`](crate::Device::run), behind a start that may hash both slots twice.
    fn alive(&mut self) {}

    /// Whether a bootloader reads what [`Board::keep_proof`] keeps. Where none does, the
    /// documents are not fetched.
    fn keeps_proof(&self) -> bool {
        false
    }

    /// Whether [`Board::keep_proof`] has room for documents.
    fn has_room_for_proof(&self, _documents: &[&[u8]]) -> bool {
        true
    }

    /// Keeps the signed documents of an image beside its slot, for a bootloader that reads them:
    /// root documents from the root key's own on, and the manifest. It is durable when this
    /// returns. Called where [`Board::keeps_proof`] says so.
    fn keep_proof(
        &mut self,
        _flash: &mut Self::Flash,
        _slot: Slot,
        _documents: &[&[u8]],
    ) -> Result<(), Reason> {
        Ok(())
    }

    /// Restarts the processor.
    fn restart(&mut self) -> !;
}
