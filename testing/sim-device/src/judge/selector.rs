//! What the selector may say: I4, I8 and I10.

use otaru_release::Behaviour;

use super::{Before, Judge, Running, Violation, Wished, broken};
use crate::catalogue::Release;
use crate::life::Loader;
use crate::oracle::{Chosen, EntrySeen, JournalSeen, Raw, StageSeen};

impl Judge {
    /// A bit turned over here while power was gone.
    pub fn flipped(&mut self, offset: u32) {
        self.doubts.flipped(offset);
    }

    /// A cell may change by itself from now on.
    pub fn rots(&mut self, offset: u32) {
        self.doubts.rots(offset);
    }

    /// Whether a cell of the selector may have changed by itself since the wish was made.
    pub fn selector_rotted(&self) -> bool {
        self.doubts.selector_rotted()
    }

    /// Whether ESP-IDF's bootloader will start the same image at every reset, whatever comes of
    /// it: it does so with any state word it does not know, which no checksum covers, and with
    /// the first slot when no entry has a checksum that holds; and armed, 0, is one bit from
    /// confirmed, 2.
    pub fn is_started_for_ever(&self, chip: &impl Raw) -> bool {
        let is_good = self.running().is_some_and(|found| found.behaviour == Behaviour::Pass);
        self.doubts.of_entries()
            && self
                .entry_of_running(chip)
                .is_none_or(|entry| !(entry.is_trial() || entry.is_confirmed() && is_good))
    }

    /// Whether a trial is armed or under way.
    pub fn is_past_arming(&self, chip: &impl Raw) -> bool {
        self.entries(chip).iter().any(EntrySeen::is_armed)
    }

    /// Whether a crash may be taken for one of the new firmware: it runs, is armed, or came to
    /// nothing and the journal does not say so yet.
    pub fn is_in_trial(&self, chip: &impl Raw) -> bool {
        let journal = JournalSeen::read(&self.journal);
        let attempt = journal.and_then(|journal| journal.attempt);
        !self.stays(chip)
            || self.is_past_arming(chip)
            || attempt.is_some_and(|attempt| attempt.stage != StageSeen::Fetching)
    }

    /// Whether no device may take this release, whoever wishes for it.
    pub fn must_refuse(&self, release: &Release) -> bool {
        let is_known_as_older = self.is_older(release) && !self.doubts.may_lack_a_record();
        is_known_as_older || self.is_unfit(release)
    }

    /// Whether a device may refuse this release, whatever its records still say.
    pub fn may_refuse(&self, release: &Release) -> bool {
        self.is_older(release) || self.is_unfit(release)
    }

    fn is_unfit(&self, release: &Release) -> bool {
        let slot_bytes = self.partitions.slots.map(|(_, length)| length as usize);
        release.is_rogue || slot_bytes.iter().any(|&length| release.image.len() > length)
    }

    fn is_older(&self, release: &Release) -> bool {
        let (sequence, counter) = self.highest_told();
        release.sequence < sequence || release.security_counter < counter
    }

    /// I4, I8 and I10: only a whole image that is wished for, and that the device may take, is
    /// ever armed.
    pub(super) fn check_selector(
        &self,
        chip: &impl Raw,
        running: Running,
        before: Before,
        wished: Option<Wished<'_>>,
    ) -> Result<(), Violation> {
        for entry in self.entries(chip) {
            if !entry.counts() {
                continue;
            }
            let Some(release) = self.release_in(chip, entry.slot()) else {
                return broken("I4", format!("{entry:?} names a slot without a whole image"));
            };
            let is_armed = entry.is_armed() && entry.slot() != running.slot && !before.is_on_trial;
            // No checksum covers an entry's state: given up, 4, is one bit from armed, 0.
            if is_armed && !self.doubts.selector_rots() && !self.doubts.may_lack_a_record() {
                self.check_armed(release, wished)?;
            }
        }
        Ok(())
    }

    fn check_armed(&self, release: &Release, wished: Option<Wished<'_>>) -> Result<(), Violation> {
        let number = release.number;
        let Some(wished) = wished.filter(|wished| wished.release == number) else {
            return broken("I4", format!("release {number} is armed, wished is {wished:?}"));
        };
        if self.must_refuse(release) {
            return broken("I4", format!("release {number} is armed, and may not be taken"));
        }
        if self.ended.iter().any(|ended| ended == wished.update) {
            return broken("I8", format!("release {number} is armed, and {wished:?} ended"));
        }
        if !wished.may_arm {
            return broken("I10", "armed after the wish was taken back");
        }
        Ok(())
    }

    /// I8: one arming is good for one trial, or for three under a bootloader of ours, and only
    /// power that goes is worth another arming.
    pub(super) fn note_trial(&mut self, chosen: Chosen) -> Result<(), Violation> {
        self.trials += u32::from(chosen.is_trial);
        let of_one_arming = match self.loader {
            Loader::EspIdf => 1,
            Loader::Otaru => 3,
        };
        let is_excused = self.doubts.selector_rotted() || self.doubts.may_lack_a_record();
        if self.trials > of_one_arming * (1 + self.outages) && !is_excused {
            return broken("I8", format!("trial {} after {} outages", self.trials, self.outages));
        }
        Ok(())
    }
}
