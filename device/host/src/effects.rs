//! Carrying out what touches flash.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{BootFacts, Effect, Fault, Input, ResetCause, Target};
use otaru_release::{Chip, KeyId, PublicKey};
use otaru_slots::{
    EntryState, FlashError, Layout, OtaData, OtaDataError, Slot, StorageError, otadata,
};
use otaru_wire::{Digest, Reason};

use crate::patched::PatchMemory;
use crate::{
    Described, Download, PatchDownload, Progress, SlotImage, Storage, Verification, boot, images,
};

mod trust;

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
#[derive(Clone, Debug)]
pub enum Carried<'a> {
    /// It is done, and nobody waits for an answer.
    Done,
    /// The records have no room for it, and nobody waits for an answer: to be logged.
    NotKept(Reason),
    /// It is done; the agent has to hear this.
    Answer(Answered),
    /// The processor has to restart now.
    Restart,
    /// It has nothing to do with flash: the caller's business.
    Outside(Effect<'a>),
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
    /// The key that root documents descend from; without one none counts.
    root_key: Option<PublicKey>,
    /// Who signed the manifest checked last.
    signer: Option<KeyId>,
    /// What runs, and its length, once that was looked for.
    running: Option<(Digest, u32)>,
    patches: PatchMemory,
    /// How many downloads began.
    downloads: u32,
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
        let patches = PatchMemory::default();
        let (root_key, signer, running) = (None, None, None);
        let downloads = 0;
        Ok(Host {
            flash,
            layout,
            slot,
            chip,
            storage,
            root_key,
            signer,
            running,
            patches,
            downloads,
        })
    }

    /// What the agent is told about this boot.
    pub fn facts(&mut self, reset: ResetCause) -> Result<BootFacts, HostError> {
        let Host { flash, layout, storage, slot, chip, .. } = self;
        let (facts, image_bytes) = boot::look_around(flash, layout, storage, *slot, *chip, reset)?;
        self.running = Some((facts.running.sha256, image_bytes));
        self.patches = PatchMemory::of_boot(&facts);
        Ok(facts)
    }

    /// The image that runs.
    pub fn image(&mut self) -> Result<SlotImage, HostError> {
        let found =
            images::find(&mut self.flash, &self.layout, &self.storage, self.slot, self.chip);
        found?.ok_or(HostError::NoBootableImage)
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
    pub fn carry_out<'e>(&mut self, effect: Effect<'e>) -> Result<Carried<'e>, HostError> {
        let answer = match effect {
            Effect::SaveJournal(bytes) => {
                self.storage.save_journal(&mut self.flash, bytes)?;
                return Ok(Carried::Done);
            }
            Effect::SaveSettings(json) => {
                return carried(self.storage.save_settings(&mut self.flash, json.as_bytes()));
            }
            Effect::RaiseFloor(sha256) => return carried(self.raise_floor(&sha256)),
            Effect::AdoptManifest(target) => return carried(self.keep_target(self.slot, &target)),
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

    /// Begins [`Effect::Download`] of the image a verified manifest describes.
    ///
    /// What the manifest says is kept beside the slot, before the first byte is there: a label
    /// without its image is found out by the hash, an image without its label would lose its
    /// name. And so is how much of the image is there already: what another image left counts for
    /// nothing, however right it looks, for power may have gone in it anywhere.
    pub fn download(
        &mut self,
        target: &Target,
        manifest: impl Into<Described>,
        chip: Chip,
        from_start: bool,
    ) -> Result<Result<Download, Fault>, HostError> {
        let manifest = manifest.into();
        let other = self.slot.other();
        // An update that the records have no room for ends before anything is touched.
        if let Err(reason) = kept(self.expect_floor(target))? {
            return Ok(Err(reason.into()));
        }
        let Host { flash, layout, slot, storage, .. } = self;
        let known = storage.progress(flash, other, &target.sha256);
        let bound = if from_start { 0 } else { known };
        let begun = Download::begin(flash, layout, *slot, manifest, chip, bound);
        let Ok(mut download) = begun else { return Ok(begun) };
        self.downloads += 1;
        download.number = self.downloads;
        let stored = storage.save_progress(flash, other, target, download.right());
        if let Err(reason) = kept(stored)? {
            return Ok(Err(reason.into()));
        }
        // Where nothing is written, no writer sees to it that the selector names what runs.
        if download.ask().is_none() && otadata::prepare(flash, layout, *slot).is_err() {
            return Ok(Err(Reason::FlashFailed.into()));
        }
        Ok(Ok(download))
    }

    /// Keeps what [`Download::take_progress`] said, so that the download goes on there behind a
    /// cut. Of another download than the one that began last it is nothing.
    ///
    /// Errors: records that fail; where they have no room, it is as if it had not been said.
    pub fn keep_progress(&mut self, progress: Progress) -> Result<(), HostError> {
        if progress.number != self.downloads {
            return Ok(());
        }
        let Host { flash, slot, storage, .. } = self;
        let other = slot.other();
        let Ok(Some(target)) = storage.target(flash, other) else { return Ok(()) };
        kept(storage.save_progress(flash, other, &target, progress.right_bytes)).map(drop)
    }

    /// [`Host::download`] by patch, where one may be tried.
    ///
    /// None is tried without [`Host::facts`], for a target whose patch was refused since the
    /// processor started, where chunks in flash are not trusted, and after a reset by panic or
    /// watchdog. `DICTIONARY` is 4096 or 8192: what there is memory for.
    pub fn patch_download<const DICTIONARY: usize>(
        &mut self,
        target: &Target,
        manifest: impl Into<Described>,
        chip: Chip,
        from_start: bool,
    ) -> Result<Result<PatchDownload<DICTIONARY>, Fault>, HostError> {
        let manifest = manifest.into();
        let sha256 = manifest.sha256;
        let download = match self.download(target, manifest, chip, from_start)? {
            Ok(download) => download,
            Err(fault) => return Ok(Err(fault)),
        };
        let may_try = self.patches.begins(&sha256, download.right_bytes());
        let base = self.running.filter(|_| may_try && !from_start);
        Ok(Ok(PatchDownload::new(download, sha256, base)))
    }

    /// No patch is tried in this boot, after [`Host::facts`]: a setting of the device, say.
    pub fn forbid_patches(&mut self) {
        self.patches.forbid();
    }

    /// The patch for this target was refused: none is tried for it until the next restart.
    pub fn patch_refused(&mut self, target: &Digest) {
        self.patches.refused(target);
    }

    /// Begins [`Effect::VerifySlot`], for hosts that have other work between its steps.
    pub fn verification(&self, target: &Target) -> Result<Verification, Reason> {
        Verification::new(&self.layout, self.slot.other(), target)
    }

    fn keep_target(&mut self, slot: Slot, target: &Target) -> Result<(), StorageError> {
        self.expect_floor(target)?;
        let there = self.storage.progress(&mut self.flash, slot, &target.sha256);
        self.storage.save_progress(&mut self.flash, slot, target, there)
    }

    fn verify_slot(&mut self, target: &Target) -> Result<(), Reason> {
        let mut verification = self.verification(target)?;
        loop {
            if let Some(result) = verification.step(&mut self.flash, u32::MAX) {
                return result;
            }
        }
    }

    /// `None` where a restart has to follow.
    fn roll_back(&mut self) -> Option<Answered> {
        let Host { flash, layout, slot, chip, storage, .. } = self;
        let other = slot.other();
        let image_ok = |flash: &mut F, _| match images::reads_images(*chip) {
            true => otaru_slots::boot::images_for(chip.map(Chip::id))(flash, layout.slot(other)),
            false => Ok(images::find(flash, layout, storage, other, *chip)
                .is_ok_and(|found| found.is_some())),
        };
        // As a bootloader sees it that gives a trial up by itself.
        let written = OtaData::read_entries(flash, layout).ok();
        let written = written.filter(|written| written.active_slot() == Some(*slot));
        let was_on_trial = written
            .as_ref()
            .is_some_and(|written| written.state_of(*slot) == Some(EntryState::PendingVerify));
        let is_restart_enough = match otadata::roll_back(flash, layout, *slot, image_ok) {
            Ok(()) => true,
            Err(OtaDataError::NoOtherSlot | OtaDataError::SequenceExhausted { .. }) => false,
            // Where flash refuses the mark, the restart itself gives a trial up, and so does an
            // entry of which not even that much is left. Nothing else does.
            Err(_) if was_on_trial => true,
            Err(_) => {
                let found = OtaData::read(flash, layout);
                written.is_some() && found.is_ok_and(|found| found.active_slot() == Some(other))
            }
        };
        (!is_restart_enough).then_some(Answered::RollBackFailed(Reason::FlashFailed))
    }
}

fn flash_result(result: Result<(), OtaDataError>) -> Result<(), Reason> {
    result.map_err(|_| Reason::FlashFailed)
}

/// Tells what has no room, which costs that value alone, from records that fail.
fn kept(stored: Result<(), StorageError>) -> Result<Result<(), Reason>, HostError> {
    match stored {
        Ok(()) => Ok(Ok(())),
        Err(StorageError::Full | StorageError::ValueTooLong { .. }) => Ok(Err(Reason::StorageFull)),
        Err(error) => Err(error.into()),
    }
}

fn carried(stored: Result<(), StorageError>) -> Result<Carried<'static>, HostError> {
    Ok(kept(stored)?.map_or_else(Carried::NotKept, |()| Carried::Done))
}
