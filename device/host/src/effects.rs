//! Carrying out what touches flash.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{BootFacts, Effect, Fault, Input, ResetCause, Target};
use otaru_release::{Chip, KeyId, Manifest};
use otaru_slots::boot::images_for;
use otaru_slots::{FlashError, Layout, OtaDataError, Slot, StorageError, hash_slot, otadata};
use otaru_wire::{Digest, Reason};

use crate::{Download, Storage, boot};

/// Why the firmware cannot go on with its flash: a restart is all that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Flash failed.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// The records could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The slot that runs holds no image.
    #[error("the running slot holds no image")]
    NoBootableImage,
}

/// What became of an effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Carried {
    /// It is done, and nobody waits for an answer.
    Done,
    /// It is done; the agent has to hear this.
    Answer(Answered),
    /// The processor has to restart now.
    Restart,
    /// It has nothing to do with flash: the caller's business.
    Outside(Effect),
}

/// An answer to the agent, as [`Input`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// [`Input::SlotVerified`].
    SlotVerified(Result<(), Reason>),
    /// [`Input::TrialBootArmed`].
    TrialBootArmed(Result<(), Reason>),
    /// [`Input::SlotConfirmed`].
    SlotConfirmed(Result<(), Reason>),
    /// [`Input::RollBackFailed`].
    RollBackFailed(Reason),
}

impl From<Answered> for Input<'static> {
    fn from(answered: Answered) -> Input<'static> {
        match answered {
            Answered::SlotVerified(result) => Input::SlotVerified(result),
            Answered::TrialBootArmed(result) => Input::TrialBootArmed(result),
            Answered::SlotConfirmed(result) => Input::SlotConfirmed(result),
            Answered::RollBackFailed(reason) => Input::RollBackFailed(reason),
        }
    }
}

/// Flash as the firmware in one slot may use it.
#[derive(Debug)]
pub struct Host<F> {
    flash: F,
    layout: Layout,
    slot: Slot,
    chip: Option<Chip>,
    storage: Storage,
    /// Who signed the manifest checked last.
    signer: Option<KeyId>,
}

impl<F: NorFlash> Host<F> {
    /// Opens the device's records. `slot` is the one that runs; `chip` is what images must be
    /// for to be gone back to, or any.
    pub fn start(
        mut flash: F,
        layout: Layout,
        slot: Slot,
        chip: Option<Chip>,
    ) -> Result<Host<F>, HostError> {
        let storage = Storage::open(&mut flash, &layout)?;
        Ok(Host { flash, layout, slot, chip, storage, signer: None })
    }

    /// What the agent is told about this boot.
    pub fn facts(&mut self, reset: ResetCause) -> Result<BootFacts, HostError> {
        boot::look_around(&mut self.flash, &self.layout, &self.storage, self.slot, reset)
    }

    /// Journal and settings of before this boot.
    pub fn stored(&mut self) -> Result<(Vec<u8>, Vec<u8>), HostError> {
        let journal = self.storage.journal(&mut self.flash)?;
        Ok((journal, self.storage.settings(&mut self.flash)?))
    }

    /// The device's records.
    pub fn storage(&mut self) -> (&mut Storage, &mut F) {
        (&mut self.storage, &mut self.flash)
    }

    /// The slot that runs.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The chip's partitions.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The flash itself.
    pub fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Gives the flash back, for the next boot.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Carries an effect out if it touches flash, and hands it back otherwise.
    ///
    /// Errors: records that cannot be written. The agent must not go on as if they were.
    pub fn carry_out(&mut self, effect: Effect) -> Result<Carried, HostError> {
        let answer = match effect {
            Effect::SaveJournal(bytes) => {
                self.storage.save_journal(&mut self.flash, &bytes)?;
                return Ok(Carried::Done);
            }
            Effect::SaveSettings(bytes) => {
                self.storage.save_settings(&mut self.flash, &bytes)?;
                return Ok(Carried::Done);
            }
            Effect::RaiseFloor(sha256) => {
                self.raise_floor(&sha256)?;
                return Ok(Carried::Done);
            }
            Effect::AdoptManifest(target) => {
                if let Some(signer) = self.signer {
                    self.expect_floor(&target, signer)?;
                }
                self.storage.save_target(&mut self.flash, self.slot, &target)?;
                return Ok(Carried::Done);
            }
            Effect::VerifySlot(target) => Answered::SlotVerified(self.verify_slot(&target)),
            Effect::ArmTrialBoot(_) => {
                let armed = otadata::set_boot(&mut self.flash, &self.layout, self.slot.other());
                Answered::TrialBootArmed(flash_result(armed))
            }
            Effect::ConfirmSlot => {
                let confirmed = otadata::mark_valid(&mut self.flash, &self.layout, self.slot);
                Answered::SlotConfirmed(flash_result(confirmed))
            }
            Effect::RollBack => match self.roll_back() {
                Some(answer) => answer,
                None => return Ok(Carried::Restart),
            },
            Effect::Restart => return Ok(Carried::Restart),
            effect => return Ok(Carried::Outside(effect)),
        };
        Ok(Carried::Answer(answer))
    }

    /// A manifest was verified and fits: who signed it raises its floor once it is confirmed.
    pub fn manifest_checked(&mut self, signer: KeyId) {
        self.signer = Some(signer);
    }

    /// Begins [`Effect::Download`] of the image a verified manifest describes.
    pub fn download(
        &mut self,
        target: &Target,
        manifest: &Manifest,
        chip: Chip,
        from_start: bool,
    ) -> Result<Result<Download, Fault>, HostError> {
        if let Some(signer) = self.signer {
            self.expect_floor(target, signer)?;
        }
        // What the manifest says is kept beside the slot it will be in, before the first
        // erase: a label without its image is found out by the hash, an image without its
        // label would lose its name.
        self.storage.save_target(&mut self.flash, self.slot.other(), target)?;
        Ok(Download::begin(&mut self.flash, &self.layout, self.slot, manifest, chip, from_start))
    }

    fn expect_floor(&mut self, target: &Target, signer: KeyId) -> Result<(), HostError> {
        let mut trust = self.storage.trust(&mut self.flash)?;
        trust.expect(target, signer);
        Ok(self.storage.save_trust(&mut self.flash, &trust)?)
    }

    fn raise_floor(&mut self, sha256: &Digest) -> Result<(), HostError> {
        let mut trust = self.storage.trust(&mut self.flash)?;
        if trust.confirm(sha256, None) {
            self.storage.save_trust(&mut self.flash, &trust)?;
        }
        Ok(())
    }

    fn verify_slot(&mut self, target: &Target) -> Result<(), Reason> {
        let size = u32::try_from(target.size_bytes).map_err(|_| Reason::ImageTooLarge)?;
        let found = hash_slot(&mut self.flash, &self.layout, self.slot.other(), size);
        let found = found.map_err(|error| match error {
            otaru_slots::SlotError::ImageSize { .. } => Reason::ImageTooLarge,
            _ => Reason::FlashFailed,
        })?;
        if found == *target.sha256.as_bytes() { Ok(()) } else { Err(Reason::DigestMismatch) }
    }

    /// `None` where a restart has to follow.
    fn roll_back(&mut self) -> Option<Answered> {
        let image_ok = images_for(self.chip.map(Chip::id));
        match otadata::roll_back(&mut self.flash, &self.layout, self.slot, image_ok) {
            Err(OtaDataError::NoOtherSlot | OtaDataError::SequenceExhausted { .. }) => {
                Some(Answered::RollBackFailed(Reason::FlashFailed))
            }
            // Where flash refuses the mark, the restart itself gives the trial up.
            _ => None,
        }
    }
}

fn flash_result(result: Result<(), OtaDataError>) -> Result<(), Reason> {
    result.map_err(|_| Reason::FlashFailed)
}
