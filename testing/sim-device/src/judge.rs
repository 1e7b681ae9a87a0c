//! The invariants, asked after every boot, every effect and every report.

use std::collections::BTreeMap;

use otaru_release::Behaviour;
use otaru_sim_flash::Operation;
use otaru_wire::Reason;

use crate::catalogue::{Release, SIZES, catalogue};
use crate::life::{Life, Loader};
use crate::oracle::{
    Chosen, EntrySeen, Partitions, Raw, RecordsSeen, choose, choose_ours, entries, newest_records,
};

use doubts::Doubts;

mod doubts;
mod memory;
mod reports;
mod selector;
#[cfg(test)]
mod tests;

const SECTOR_BYTES: u32 = 0x1000;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number.
    pub rule: &'static str,
    /// What was seen.
    pub what: String,
}

fn broken<T>(rule: &'static str, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { rule, what: what.into() })
}

/// What runs, as the judge saw it start.
#[derive(Clone, Copy, Debug)]
struct Running {
    slot: usize,
    release: &'static Release,
}

/// Remembers what has to stay true over a whole life.
#[derive(Clone, Debug)]
pub struct Judge {
    partitions: Partitions,
    loader: Loader,
    /// Length of the longest image there is in this life.
    longest: u32,
    running: Option<Running>,
    /// Releases that were confirmed here, by the judge's own look at the selector.
    confirmed: Vec<usize>,
    /// Those that left the factory or were reported as confirmed: none older may be taken.
    told: Vec<usize>,
    /// Highest floor seen in a journal.
    floor: u32,
    /// Highest floor of each signer that was on flash when an effect was over.
    signers_floors: BTreeMap<u64, (u64, u32)>,
    /// Ids of updates that were begun, as a journal said.
    begun: Vec<String>,
    /// Ids of updates that ended, as reported.
    ended: Vec<String>,
    /// The journal that was saved or read last.
    journal: Vec<u8>,
    /// Others that may be read next: those power was cut in since the last that was saved,
    /// and that one. What a cut write left may be read at one power-on and not at the next.
    unsure_journals: Vec<Vec<u8>>,
    /// What the last effect left in the records, where it touched them.
    records: Option<RecordsSeen>,
    /// What may read otherwise by itself.
    doubts: Doubts,
    /// What was confirmed last, as long as nobody wrote to its slot.
    kept: Option<Running>,
    /// Erases of each slot's sectors when the wish was made, and how often they may be erased once
    /// more: power that went, and downloads that broke, since.
    erases: Vec<u32>,
    tries: u32,
    /// Whether a download was begun since.
    has_begun: bool,
    /// Power that went since the wish was made, and trials that began.
    outages: u32,
    trials: u32,
}

/// How things stood before an effect.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Whether what runs is on trial by its entry.
    is_on_trial: bool,
    /// Whether what runs was ever confirmed: if not, the other slot is its way back.
    pub(crate) stays: bool,
}

/// What the server wishes for.
#[derive(Clone, Copy, Debug)]
pub struct Wished<'a> {
    /// Id of the update, if desired names one.
    pub update: &'a str,
    /// Number of the release.
    pub release: usize,
    /// Whether it may be armed: nobody took it back that the device heard.
    pub may_arm: bool,
}

impl Judge {
    /// Begins with a chip that has left the factory.
    pub fn new(chip: &impl Raw, life: &Life) -> Judge {
        let wished = life.wishes.iter().map(|wish| wish.release).chain([life.factory]);
        let lengths = wished.map(|number| catalogue().releases[number].image.len());
        let longest = lengths.chain(SIZES).max().unwrap_or_default() as u32;
        let partitions = Partitions::read(chip).expect("the chip has a partition table");
        Judge {
            partitions,
            loader: life.loader,
            longest,
            running: None,
            confirmed: vec![life.factory],
            told: vec![life.factory],
            floor: 0,
            signers_floors: BTreeMap::new(),
            begun: Vec::new(),
            ended: Vec::new(),
            journal: Vec::new(),
            unsure_journals: Vec::new(),
            records: None,
            doubts: Doubts::new(partitions, life.loader),
            kept: None,
            erases: Vec::new(),
            tries: 0,
            has_begun: false,
            outages: 0,
            trials: 0,
        }
    }

    /// As much of a slot as the longest image takes.
    fn slot_bytes(&self, chip: &impl Raw, slot: usize) -> Vec<u8> {
        let (offset, length) = self.partitions.slots[slot];
        chip.dump(offset, length.min(self.longest))
    }

    fn release_in(&self, chip: &impl Raw, slot: usize) -> Option<&'static Release> {
        catalogue().whole_image(&self.slot_bytes(chip, slot))
    }

    fn entries(&self, chip: &impl Raw) -> [EntrySeen; 2] {
        entries(chip, &self.partitions, self.loader)
    }

    /// What the bootloader has to choose; a chip that starts nothing breaks I1.
    pub fn choice(&self, chip: &impl Raw) -> Result<Chosen, Violation> {
        let found = self.entries(chip);
        let is_whole = |slot| catalogue().is_whole(&self.slot_bytes(chip, slot));
        let chosen = match self.loader {
            Loader::EspIdf => choose(found, is_whole),
            Loader::Otaru => choose_ours(found, is_whole),
        };
        match chosen.slot {
            Some(_) => Ok(chosen),
            None => broken("I1", format!("no slot would start: {found:?}")),
        }
    }

    /// After the bootloader: it chose what it had to, and that is a whole image.
    pub fn booted(
        &mut self,
        chip: &impl Raw,
        expected: Chosen,
        slot: usize,
    ) -> Result<&'static Release, Violation> {
        if expected.slot != Some(slot) {
            return broken("I1", format!("slot {slot} runs, the selector names {expected:?}"));
        }
        if let Some(kept) = self.kept
            && self.release_in(chip, kept.slot).map(|found| found.number)
                != Some(kept.release.number)
        {
            return broken("I1", format!("confirmed release {} has rotted", kept.release.number));
        }
        let Some(release) = self.release_in(chip, slot) else {
            return broken("I4", format!("slot {slot} runs, and holds an image nobody signed"));
        };
        self.running = Some(Running { slot, release });
        self.records = None;
        self.check_trust(chip, false)?;
        self.note_trial(expected)?;
        // Power went in the confirmation of firmware that passes, and it reads as confirmed.
        let was_confirming = self.loader == Loader::Otaru
            && release.behaviour == Behaviour::Pass
            && self.entry_of_running(chip).is_some_and(|entry| entry.is_confirmed());
        let is_excused = self.doubts.of_entries() || was_confirming;
        if !is_excused && !self.confirmed.contains(&release.number) && !expected.is_trial {
            return broken(
                "trial",
                format!("release {} runs unconfirmed without trial", release.number),
            );
        }
        self.note_confirmed(chip);
        Ok(release)
    }

    /// The firmware's behaviour and identity, once it runs.
    pub fn running(&self) -> Option<&'static Release> {
        self.running.map(|running| running.release)
    }

    fn note_confirmed(&mut self, chip: &impl Raw) {
        let Some(running) = self.running else { return };
        if self.entry_of_running(chip).is_some_and(|entry| entry.is_confirmed()) {
            self.kept = Some(running);
            if !self.confirmed.contains(&running.release.number) {
                self.confirmed.push(running.release.number);
            }
        }
    }

    fn entry_of_running(&self, chip: &impl Raw) -> Option<EntrySeen> {
        let running = self.running?;
        let found = self.entries(chip);
        let ours = found.into_iter().filter(|entry| entry.counts() && entry.slot() == running.slot);
        ours.max_by_key(|entry| entry.sequence)
    }

    /// Whether what runs was ever confirmed: its entry says so, or said so, or it left the factory.
    fn stays(&self, chip: &impl Raw) -> bool {
        self.running.is_none_or(|running| self.confirmed.contains(&running.release.number))
            || self.entry_of_running(chip).is_some_and(|entry| entry.is_confirmed())
    }

    /// How things stand before an effect.
    pub fn before(&self, chip: &impl Raw) -> Before {
        Before { is_on_trial: self.is_on_trial(chip), stays: self.stays(chip) }
    }

    /// Whether what runs is unconfirmed by its entry.
    fn is_on_trial(&self, chip: &impl Raw) -> bool {
        self.entry_of_running(chip).is_some_and(|entry| entry.is_trial())
    }

    /// I2, for the bootloader: it writes to the selector, and to nothing else.
    ///
    /// It writes an entry at once, state and checksum in any order: where power goes in that, the
    /// entry may have any state and the right checksum.
    pub fn bootloader_done(
        &mut self,
        operations: &[Operation],
        is_powered: bool,
    ) -> Result<(), Violation> {
        self.doubts.settle(operations, is_powered);
        if let Some(last) = operations.last().filter(|_| !is_powered) {
            self.doubts.bootloader_cut(last);
        }
        match operations.iter().find(|operation| !within(operation, self.partitions.otadata)) {
            Some(other) => broken("I2", format!("the bootloader touched {other:?}")),
            None => Ok(()),
        }
    }

    /// After an effect: what its operations touched, and what they made the selector say.
    ///
    /// `is_powered` says whether power was there to its end.
    pub fn effect_done(
        &mut self,
        chip: &impl Raw,
        operations: &[Operation],
        is_powered: bool,
        before: Before,
        wished: Option<Wished<'_>>,
    ) -> Result<(), Violation> {
        let Some(running) = self.running else { return Ok(()) };
        for operation in operations {
            self.check_place(operation, running, before)?;
        }
        self.doubts.settle(operations, is_powered);
        let touched = |place| operations.iter().any(|operation| within(operation, place));
        let touched_selector = touched(self.partitions.otadata);
        if touched_selector {
            self.note_confirmed(chip);
        }
        self.records = None;
        if touched(self.partitions.otaru) {
            self.records = Some(newest_records(chip, &self.partitions));
            self.check_trust(chip, is_powered)?;
        }
        if !touched_selector && !touched(self.partitions.slots[1 - running.slot]) {
            return Ok(());
        }
        self.check_selector(chip, running, before, wished)
    }

    /// I2: what runs, the way back and flash that is nobody's are left alone.
    fn check_place(
        &mut self,
        operation: &Operation,
        running: Running,
        before: Before,
    ) -> Result<(), Violation> {
        let [slots, otadata, otaru] =
            [&self.partitions.slots[..], &[self.partitions.otadata], &[self.partitions.otaru]];
        if within(operation, slots[running.slot]) {
            return broken("I2", format!("the running slot was touched: {operation:?}"));
        }
        if within(operation, slots[1 - running.slot]) {
            self.kept = self.kept.filter(|kept| kept.slot == running.slot);
            if before.is_on_trial || !before.stays {
                return broken("I2", format!("the way back was touched: {operation:?}"));
            }
        } else if !within(operation, otadata[0]) && !within(operation, otaru[0]) {
            return broken("I2", format!("foreign flash was touched: {operation:?}"));
        }
        Ok(())
    }

    /// A wish was made: erases count from here.
    pub fn wished(&mut self, erases: &[u32]) {
        self.doubts.wished();
        self.erases = erases.to_vec();
        (self.tries, self.outages, self.trials, self.has_begun) = (0, 0, 0, false);
    }

    /// I5: a patch is worth a look and never a try. What ends a download while one is asked for
    /// is the link's fault, or that of flash, or a server that is busy and says so.
    pub fn patch_failed(&self, reason: Reason, is_busy: bool) -> Result<(), Violation> {
        use Reason::{DownloadStalled, FlashFailed, LinkDownWhileDownloading, ServerError};
        match reason {
            ServerError if is_busy => Ok(()),
            DownloadStalled | FlashFailed | LinkDownWhileDownloading => Ok(()),
            reason => broken("I5", format!("a patch ended a download: {reason}")),
        }
    }

    /// A download begins: the first one of an update erases each sector once.
    pub fn download_begins(&mut self) {
        self.tries += u32::from(self.has_begun);
        self.has_begun = true;
    }

    /// A download broke and goes on: sectors may be erased once more.
    pub fn tried_again(&mut self) {
        self.tries += 1;
    }

    /// Power went.
    pub fn power_lost(&mut self) {
        self.outages += 1;
    }

    /// An update ended: I9.
    pub fn ended(&self, erases: &[u32]) -> Result<(), Violation> {
        for (offset, length) in self.partitions.slots {
            for sector in offset / SECTOR_BYTES..(offset + length) / SECTOR_BYTES {
                let before = self.erases.get(sector as usize).copied().unwrap_or(0);
                let count = erases[sector as usize] - before;
                if count > 1 + self.tries {
                    return broken("I9", format!("sector {sector} was erased {count} times"));
                }
            }
        }
        Ok(())
    }
}

/// Whether an operation touches a partition: offset and length.
fn within(operation: &Operation, (offset, length): (u32, u32)) -> bool {
    operation.offset < offset + length && operation.offset + operation.length > offset
}

/// A digest as reports write it.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
