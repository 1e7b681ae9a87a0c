//! What a boot means: a pure function of the journal and the facts found in flash.

use arrayvec::ArrayString;
use otaru_wire::{Digest, Outcome, Reason, ReleaseVersion};

use crate::{Attempt, Journal, Stage};

#[cfg(test)]
mod tests;

/// How often a trial boot is armed for one attempt before lost power counts against it.
///
/// ESP-IDF's bootloader gives armed firmware exactly one boot, so a brown-out in
/// its first seconds looks like a bad image; three boots tell them apart well enough.
/// A bootloader that counts these itself leaves [`EntryState::WornOut`] behind.
pub(crate) const ARMS_ALLOWED: u8 = 3;

/// What firmware is called: a version, or the text of an image's descriptor.
pub type Label = ArrayString<{ ReleaseVersion::MAX }>;

/// The firmware that runs, hashed from the slot the boot selector chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Name of its slot, such as `ota_0`.
    pub slot: &'static str,
    /// Identity of its image.
    pub sha256: Digest,
    /// Its label: the version of the manifest stored with that SHA-256, else the
    /// image descriptor's version, else none.
    pub label: Option<Label>,
    /// Whether the label is that of a stored manifest, or of an image that never had one. The
    /// descriptor of a release whose manifest is lost may say something else than its version.
    pub label_is_certain: bool,
    /// Sequence number of its release; 0 without a stored manifest.
    pub sequence: u64,
    /// Security counter of its image: the stored manifest's, else the image descriptor's.
    pub security_counter: u32,
}

/// What the boot selector's records say about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// No readable record names the slot.
    Missing,
    /// Armed, not booted yet.
    New,
    /// In its trial boot.
    PendingVerify,
    /// Confirmed.
    Valid,
    /// Marked bad by the firmware itself.
    Invalid,
    /// Restarted before it was confirmed.
    Aborted,
    /// Restarted before it was confirmed, as often as a bootloader that counts tries allows.
    WornOut,
    /// Bootable without trial.
    Undefined,
}

/// Why the processor started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCause {
    /// Power came on.
    PowerOn,
    /// The firmware asked for it.
    Software,
    /// The firmware crashed.
    Panic,
    /// The firmware hung.
    Watchdog,
}

/// What the host finds before anything else runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFacts {
    /// What runs.
    pub running: Running,
    /// The selector's record of the running slot.
    pub running_entry: EntryState,
    /// The selector's record of the other slot.
    pub other_entry: EntryState,
    /// Identity of the other slot's image, where that was given up and is whole.
    pub other_image: Option<Digest>,
    /// Why the processor started.
    pub reset: ResetCause,
}

impl BootFacts {
    /// Whether the firmware before crashed or hung.
    pub(crate) fn has_crashed(&self) -> bool {
        matches!(self.reset, ResetCause::Panic | ResetCause::Watchdog)
    }
}

/// The one thing to do next after a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAction {
    /// Follow the shadow.
    FollowWish,
    /// Go on fetching if the shadow still names the target.
    ResumeFetch,
    /// Fetch what is missing in the other slot, if anything is, and arm its trial boot again.
    ArmAgain,
    /// This boot is the trial: test, then confirm or go back.
    StartTrial,
    /// The trial was decided against, but going back was cut off.
    RollBackNow,
    /// The target runs and is confirmed; say so.
    ReportConfirmed,
    /// The target is gone; say why.
    ReportRolledBack(Reason),
    /// Arming never took; give up and say so.
    ReportFailed(Reason),
    /// A confirmed image was replaced by its predecessor; say so.
    ReportReverted,
}

/// Whether the entry of what runs promises it one boot alone.
pub(crate) fn is_entry_of_trial(facts: &BootFacts) -> bool {
    matches!(facts.running_entry, EntryState::New | EntryState::PendingVerify)
}

/// Whether firmware that was confirmed is on trial again: a bit of its entry turned over, and the
/// next restart would end it.
pub(crate) fn lost_its_confirmation(journal: &Journal, facts: &BootFacts) -> bool {
    let is_new = journal.attempt.as_ref().is_some_and(|attempt| runs(attempt, facts));
    is_entry_of_trial(facts) && !is_new && is_confirmed(journal, facts)
}

fn is_on_trial(journal: &Journal, facts: &BootFacts) -> bool {
    is_entry_of_trial(facts) && !lost_its_confirmation(journal, facts)
}

/// Whether the journal says that what runs was confirmed.
fn is_confirmed(journal: &Journal, facts: &BootFacts) -> bool {
    journal.confirmed == Some(facts.running.sha256)
}

/// Whether an image rolled back, or failed, and was never confirmed since.
pub(crate) fn was_given_up(journal: &Journal, image: Digest) -> bool {
    let is_bad = journal.bad_images.iter().any(|bad| bad.sha256 == image);
    let failed = journal
        .last
        .as_ref()
        .is_some_and(|last| last.outcome != Outcome::Confirmed && last.sha256 == Some(image));
    (is_bad || failed) && journal.confirmed != Some(image)
}

/// Whether what was given up runs, and was not confirmed.
fn starts_given_up(journal: &Journal, facts: &BootFacts) -> bool {
    facts.running_entry != EntryState::Valid && was_given_up(journal, facts.running.sha256)
}

/// Whether an attempt is about the firmware that runs.
pub(crate) fn runs(attempt: &Attempt, facts: &BootFacts) -> bool {
    attempt.target.as_ref().is_some_and(|target| target.sha256 == facts.running.sha256)
}

/// Decides what a boot means. Total: every combination has exactly one answer.
///
/// Truth ranks: hash of the running slot, then the selector's records, then the journal.
pub fn reconcile(journal: &Journal, facts: &BootFacts) -> NextAction {
    let Some(attempt) = &journal.attempt else {
        return without_attempt(journal, facts);
    };
    if runs(attempt, facts) {
        return match facts.running_entry {
            // Whatever its entry says: given up, 3, is one bit from confirmed, 2.
            _ if attempt.verdict.is_some() => NextAction::RollBackNow,
            // Never armed: flashed by cable, or what a roll-back that found nothing else started.
            EntryState::Valid
                if attempt.stage == Stage::Fetching && !is_confirmed(journal, facts) =>
            {
                NextAction::StartTrial
            }
            EntryState::Valid => NextAction::ReportConfirmed,
            EntryState::PendingVerify => NextAction::StartTrial,
            // A reset in the trial ends it, or the last of its tries, and the bootloader did not:
            // it has no rollback, or power went in its own write and left a state that it starts
            // for ever.
            _ if attempt.stage == Stage::Trial
                && (facts.reset != ResetCause::PowerOn || attempt.arms >= ARMS_ALLOWED) =>
            {
                NextAction::RollBackNow
            }
            _ => NextAction::StartTrial,
        };
    }
    match attempt.stage {
        // No entry counts any more, and the slot of what rolled back was about to be written: a
        // download would go over what was confirmed.
        Stage::Fetching if starts_given_up(journal, facts) => NextAction::RollBackNow,
        // Something else on trial although nothing was armed: flashed by cable, say.
        // Until that is decided the other slot is its way back, and takes no download.
        Stage::Fetching if is_on_trial(journal, facts) => NextAction::StartTrial,
        Stage::Fetching => NextAction::ResumeFetch,
        Stage::Staged => not_booted(attempt, facts),
        Stage::Trial => match attempt.verdict {
            Some(verdict) => NextAction::ReportRolledBack(verdict),
            None => trial_cut_short(attempt, facts),
        },
    }
}

fn without_attempt(journal: &Journal, facts: &BootFacts) -> NextAction {
    let running = facts.running.sha256;
    let is_replaced = journal.confirmed.is_some_and(|confirmed| confirmed != running);
    if starts_given_up(journal, facts) {
        // A bit of an entry turned over, its own or that of what was confirmed, or power went in
        // the bootloader's own write, or in that which gave it up.
        NextAction::RollBackNow
    } else if is_on_trial(journal, facts) {
        // The journal was lost during a trial: without a decision the next reset goes back.
        NextAction::StartTrial
    } else if is_replaced && journal.previous == Some(running) {
        NextAction::ReportReverted
    } else {
        NextAction::FollowWish
    }
}

/// The old firmware runs and the new one never wrote the journal.
fn not_booted(attempt: &Attempt, facts: &BootFacts) -> NextAction {
    match facts.other_entry {
        EntryState::Aborted | EntryState::WornOut => trial_cut_short(attempt, facts),
        EntryState::PendingVerify | EntryState::Invalid => {
            NextAction::ReportRolledBack(Reason::NewSlotDidNotBoot)
        }
        // Power went away while the record was written.
        _ if attempt.arms < ARMS_ALLOWED => NextAction::ArmAgain,
        _ => NextAction::ReportFailed(Reason::FlashFailed),
    }
}

/// The new firmware began to run, said nothing, and the old one runs again.
fn trial_cut_short(attempt: &Attempt, facts: &BootFacts) -> NextAction {
    match facts.reset {
        ResetCause::PowerOn
            if attempt.arms < ARMS_ALLOWED && facts.other_entry != EntryState::WornOut =>
        {
            NextAction::ArmAgain
        }
        ResetCause::PowerOn => NextAction::ReportRolledBack(Reason::PowerLostInTrial),
        ResetCause::Watchdog => NextAction::ReportRolledBack(Reason::SelfTestTimedOut),
        ResetCause::Panic | ResetCause::Software => {
            NextAction::ReportRolledBack(Reason::FirmwareCrashed)
        }
    }
}
