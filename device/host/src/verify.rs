//! The whole image hashed from flash, before it is armed.

use embedded_storage::nor_flash::ReadNorFlash;
use otaru_agent::Target;
use otaru_slots::{Layout, Slot, SlotHasher};
use otaru_wire::{Digest, Reason};

/// [`Effect::VerifySlot`](otaru_agent::Effect::VerifySlot) in steps, for hosts with other work.
pub struct Verification {
    hasher: SlotHasher,
    expected: Digest,
}

impl Verification {
    pub(crate) fn new(
        layout: &Layout,
        slot: Slot,
        target: &Target,
    ) -> Result<Verification, Reason> {
        let size = u32::try_from(target.size_bytes).map_err(|_| Reason::ImageTooLarge)?;
        let hasher = SlotHasher::new(layout, slot, size).map_err(|_| Reason::ImageTooLarge)?;
        Ok(Verification { hasher, expected: target.sha256 })
    }

    /// Hashes at most `max_bytes` more; what came of it once the end is reached.
    pub fn step<F: ReadNorFlash>(
        &mut self,
        flash: &mut F,
        max_bytes: u32,
    ) -> Option<Result<(), Reason>> {
        match self.hasher.step(flash, max_bytes) {
            Err(_) => Some(Err(Reason::FlashFailed)),
            Ok(None) => None,
            Ok(Some(found)) if found == *self.expected.as_bytes() => Some(Ok(())),
            Ok(Some(_)) => Some(Err(Reason::DigestMismatch)),
        }
    }
}
