//! What the device remembers: its journal, and of signatures.

use std::collections::BTreeMap;

use super::{Judge, Violation, broken};
use crate::catalogue::catalogue;
use crate::oracle::{JournalSeen, Raw, RecordsSeen, TrustSeen, newest_records};

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
        if let Some(journal) = self.check_journal(&expected)? {
            self.floor = self.floor.max(journal.security_floor);
            let update = journal.attempt.and_then(|attempt| attempt.update);
            self.begun.extend(update.filter(|update| !self.begun.contains(update)));
        }
        Ok(())
    }

    fn newest_journal(&self, chip: &impl Raw) -> Option<Vec<u8>> {
        self.newest_record(chip, JOURNAL_KEY)
    }

    /// The newest record with a key: as the last effect left it, if it touched any.
    fn newest_record(&self, chip: &impl Raw, key: u8) -> Option<Vec<u8>> {
        let newest = |records: &RecordsSeen| records.get(&key)?.last()?.1.clone();
        match &self.records {
            Some(records) => newest(records),
            None => newest(&newest_records(chip, &self.partitions)),
        }
    }

    /// Highest sequence and security counter of what was confirmed.
    fn highest_confirmed(&self) -> (u64, u32) {
        highest(&self.confirmed)
    }

    /// Highest sequence and security counter of what was reported as confirmed.
    pub(super) fn highest_told(&self) -> (u64, u32) {
        highest(&self.told)
    }

    /// I7: no signer's floor is above what was confirmed, and none falls that was there once an
    /// effect was over.
    pub(super) fn check_trust(
        &mut self,
        chip: &impl Raw,
        is_powered: bool,
    ) -> Result<(), Violation> {
        let floors = match self.newest_record(chip, TRUST_KEY) {
            Some(bytes) => match TrustSeen::read(&bytes) {
                Some(trust) => trust.floors,
                None => return broken("I7", "what is remembered of signatures cannot be read"),
            },
            None => BTreeMap::new(),
        };
        let highest = self.highest_confirmed();
        let too_high =
            |&&(sequence, counter): &&(u64, u32)| sequence > highest.0 || counter > highest.1;
        if let Some(floor) = floors.values().find(too_high) {
            return broken(
                "I7",
                format!("a signer's floor {floor:?} is above {highest:?}, confirmed"),
            );
        }
        for (key, least) in &self.signers_floors {
            let found = floors.get(key).copied().unwrap_or_default();
            let has_fallen = found.0 < least.0 || found.1 < least.1;
            if has_fallen && !self.doubts.may_lack_a_record() {
                return broken("I7", format!("a signer's floor fell from {least:?} to {found:?}"));
            }
        }
        if is_powered {
            self.signers_floors = floors;
        }
        Ok(())
    }

    /// A boot read this journal: the last saved, or one power was cut in since.
    pub fn read_journal(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let is_known =
            bytes == self.journal || self.unsure_journals.iter().any(|unsure| unsure == bytes);
        if !is_known && !self.doubts.may_lack_a_record() {
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
        Ok(())
    }

    /// I11: what was begun and taken back has to be ended by the device itself.
    pub fn expired(&self, update: &str) -> Result<(), Violation> {
        let was_begun = self.begun.iter().any(|begun| begun == update);
        if was_begun && !self.doubts.may_lack_a_record() {
            return broken("I11", format!("{update} was begun, taken back, and never ended"));
        }
        Ok(())
    }

    /// I7: no floor is above what was confirmed, or below one that was saved. What was only read
    /// may be what power was cut in, and gone at the next power-on.
    fn check_journal(&self, bytes: &[u8]) -> Result<Option<JournalSeen>, Violation> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let Some(journal) = JournalSeen::read(bytes) else {
            return broken("journal", "the journal cannot be read");
        };
        let (_, highest) = self.highest_confirmed();
        let floor = journal.security_floor;
        if floor > highest {
            return broken("I7", format!("the floor {floor} is above what was confirmed"));
        }
        if floor < self.floor && !self.doubts.may_lack_a_record() {
            return broken("I7", format!("the floor fell from {} to {floor}", self.floor));
        }
        Ok(Some(journal))
    }
}

fn highest(numbers: &[usize]) -> (u64, u32) {
    let releases = || numbers.iter().map(|&number| &catalogue().releases[number]);
    let sequence = releases().map(|release| release.sequence).max();
    let counter = releases().map(|release| release.security_counter).max();
    (sequence.unwrap_or_default(), counter.unwrap_or_default())
}
