//! What the device remembers: its journal, and of signatures.

use super::{Judge, Violation, broken};
use crate::catalogue::catalogue;
use crate::oracle::{JournalSeen, Raw, TrustSeen, newest_records};

/// Key of the agent's journal among the records.
const JOURNAL_KEY: u8 = 0;
/// Key of what is remembered of signatures.
const TRUST_KEY: u8 = 6;

impl Judge {
    /// A journal is about to be written.
    pub fn saving(&mut self, bytes: &[u8]) {
        self.unsure_journals.push(bytes.to_vec());
    }

    /// It was written: it must be what is on flash, by the judge's own reading.
    pub fn saved(&mut self, chip: &impl Raw) -> Result<(), Violation> {
        if let Some(saved) = self.unsure_journals.pop() {
            self.unsure_journals.clear();
            self.journal = saved;
        }
        let expected = self.journal.clone();
        if self.newest_journal(chip).as_deref() != Some(&expected) {
            return broken("journal", "what was saved is not the newest record");
        }
        self.check_journal(&expected)
    }

    fn newest_journal(&self, chip: &impl Raw) -> Option<Vec<u8>> {
        self.newest_record(chip, JOURNAL_KEY)
    }

    fn newest_record(&self, chip: &impl Raw, key: u8) -> Option<Vec<u8>> {
        let records = newest_records(chip, &self.partitions);
        records.get(&key)?.last()?.1.clone()
    }

    /// Highest sequence and security counter of what was confirmed.
    fn highest_confirmed(&self) -> (u64, u32) {
        let confirmed = || self.confirmed.iter().map(|&number| &catalogue().releases[number]);
        let sequence = confirmed().map(|release| release.sequence).max();
        let counter = confirmed().map(|release| release.security_counter).max();
        (sequence.unwrap_or_default(), counter.unwrap_or_default())
    }

    /// I7: no signer's floor is above what was confirmed.
    pub(super) fn check_trust(&self, chip: &impl Raw) -> Result<(), Violation> {
        let Some(bytes) = self.newest_record(chip, TRUST_KEY) else { return Ok(()) };
        let Some(trust) = TrustSeen::read(&bytes) else {
            return broken("I7", "what is remembered of signatures cannot be read");
        };
        let highest = self.highest_confirmed();
        let too_high =
            |&&(sequence, counter): &&(u64, u32)| sequence > highest.0 || counter > highest.1;
        match trust.floors.iter().find(too_high) {
            Some(floor) => {
                broken("I7", format!("a signer's floor {floor:?} is above {highest:?}, confirmed"))
            }
            None => Ok(()),
        }
    }

    /// A boot read this journal: the last saved, or one power was cut in since. Answers
    /// whether an update is under way in it.
    pub fn read_journal(&mut self, bytes: &[u8]) -> Result<bool, Violation> {
        let is_known =
            bytes == self.journal || self.unsure_journals.iter().any(|unsure| unsure == bytes);
        if !is_known && !self.may_lack_a_record() {
            return broken(
                "journal",
                format!("{} bytes were read that nobody saved last", bytes.len()),
            );
        }
        let before = std::mem::replace(&mut self.journal, bytes.to_vec());
        if before != bytes {
            self.unsure_journals.push(before);
        }
        self.check_journal(bytes)?;
        Ok(JournalSeen::read(bytes).is_some_and(|journal| journal.attempt.is_some()))
    }

    /// I7: the floor only rises, and never above what was confirmed.
    fn check_journal(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some(journal) = JournalSeen::read(bytes) else {
            return broken("journal", "the journal cannot be read");
        };
        let (_, highest) = self.highest_confirmed();
        let floor = journal.security_floor;
        if floor > highest {
            return broken("I7", format!("the floor {floor} is above what was confirmed"));
        }
        if floor < self.floor && !self.may_lack_a_record() {
            return broken("I7", format!("the floor fell from {} to {floor}", self.floor));
        }
        self.floor = self.floor.max(floor);
        Ok(())
    }
}
