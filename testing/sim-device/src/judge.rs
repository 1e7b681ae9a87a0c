//! The invariants, asked after every boot, every effect and every report.

use otaru_release::Behaviour;
use otaru_sim_flash::Operation;
use otaru_wire::Reason;

use crate::catalogue::{Release, SIZES, catalogue};
use crate::life::{Life, Loader};
use crate::oracle::{Chosen, EntrySeen, Partitions, Raw, choose, choose_ours, entries};

mod memory;
mod reports;

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
    /// Highest floor seen in a journal.
    floor: u32,
    /// Update id and release of every trial that came to nothing, as reported.
    given_up: Vec<(String, usize)>,
    /// The journal that was saved or read last.
    journal: Vec<u8>,
    /// Others that may be read next: those power was cut in since the last that was saved,
    /// and that one. What a cut write left may be read at one power-on and not at the next.
    unsure_journals: Vec<Vec<u8>>,
    /// Whether cells of the selector may change by themselves in this life.
    selector_rots: bool,
    /// Bits that turned over in the records.
    flips_in_records: u32,
    /// Whether power went in the bootloader's own write of an entry.
    bootloader_was_cut: bool,
    /// What was confirmed last, as long as nobody wrote to its slot.
    kept: Option<Running>,
    /// Erases of each slot's sectors when the wish was made, and restarts since.
    erases: Vec<u32>,
    tries: u32,
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
            floor: 0,
            given_up: Vec::new(),
            journal: Vec::new(),
            unsure_journals: Vec::new(),
            selector_rots: false,
            flips_in_records: 0,
            bootloader_was_cut: false,
            kept: None,
            erases: Vec::new(),
            tries: 0,
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
        self.tries += 1;
        // Power went in the confirmation of firmware that passes, and it reads as confirmed.
        let was_confirming = self.loader == Loader::Otaru
            && release.behaviour == Behaviour::Pass
            && self.entry_of_running(chip).is_some_and(|entry| entry.is_confirmed());
        let is_excused = self.selector_rots || self.bootloader_was_cut || was_confirming;
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

    /// A bit turned over in this sector.
    pub fn flipped(&mut self, offset: u32) {
        let (start, length) = self.partitions.otaru;
        self.flips_in_records += u32::from((start..start + length).contains(&offset));
    }

    /// Whether two bits may have turned over in one record, which then is none.
    fn may_lack_a_record(&self) -> bool {
        self.flips_in_records > 1
    }

    /// A cell may change by itself from now on.
    pub fn rots(&mut self, offset: u32) {
        let (start, length) = self.partitions.otadata;
        let is_unsure = self.loader == Loader::EspIdf;
        self.selector_rots |= is_unsure && (start..start + length).contains(&offset);
    }

    /// Whether a cell of the selector may change by itself.
    pub fn selector_rots(&self) -> bool {
        self.selector_rots
    }

    /// Power went while the bootloader ran. It writes an entry at once, state and checksum in
    /// any order, so the entry may have any state and the right checksum now.
    pub fn bootloader_cut(&mut self) {
        self.bootloader_was_cut = self.loader == Loader::EspIdf;
    }

    /// Whether ESP-IDF's bootloader will start the same image at every reset, whatever comes of
    /// it: it does so with any state word it does not know, which no checksum covers, and with
    /// the first slot when no entry has a checksum that holds.
    pub fn is_started_for_ever(&self, chip: &impl Raw) -> bool {
        (self.selector_rots || self.bootloader_was_cut)
            && self
                .entry_of_running(chip)
                .is_none_or(|entry| !entry.is_trial() && !entry.is_confirmed())
    }

    /// Whether what runs is unconfirmed: the other slot is its way back.
    pub fn is_on_trial(&self, chip: &impl Raw) -> bool {
        self.entry_of_running(chip).is_some_and(|entry| entry.is_trial())
    }

    /// Whether a trial is armed or under way.
    pub fn is_past_arming(&self, chip: &impl Raw) -> bool {
        self.entries(chip).iter().any(EntrySeen::is_armed)
    }

    /// After an effect: what its operations touched, and what they made the selector say.
    ///
    /// `was_on_trial` is what [`Judge::is_on_trial`] said before it; `open` is the update the
    /// server waits for, and whether arming is still forbidden because the wish was taken back.
    pub fn effect_done(
        &mut self,
        chip: &impl Raw,
        operations: &[Operation],
        was_on_trial: bool,
        open: Option<(&str, usize)>,
        may_arm: bool,
    ) -> Result<(), Violation> {
        let Some(running) = self.running else { return Ok(()) };
        let (mut touched_selector, mut touched_slot, mut touched_records) = (false, false, false);
        for operation in operations {
            let within = |(offset, length): (u32, u32)| {
                operation.offset < offset + length && operation.offset + operation.length > offset
            };
            touched_selector |= within(self.partitions.otadata);
            touched_records |= within(self.partitions.otaru);
            if within(self.partitions.slots[running.slot]) {
                return broken("I2", format!("the running slot was touched: {operation:?}"));
            }
            touched_slot |= within(self.partitions.slots[1 - running.slot]);
            if within(self.partitions.slots[1 - running.slot]) {
                self.kept = self.kept.filter(|kept| kept.slot == running.slot);
            }
            if within(self.partitions.slots[1 - running.slot]) && was_on_trial {
                return broken("I2", format!("the way back was touched: {operation:?}"));
            }
            let ours = [
                self.partitions.otadata,
                self.partitions.otaru,
                self.partitions.slots[1 - running.slot],
            ];
            if !ours.into_iter().any(within) {
                return broken("I2", format!("foreign flash was touched: {operation:?}"));
            }
        }
        if touched_selector {
            self.note_confirmed(chip);
        }
        if touched_records {
            self.check_trust(chip)?;
        }
        if !touched_selector && !touched_slot {
            return Ok(());
        }
        self.check_selector(chip, running, was_on_trial, open, may_arm)
    }

    /// I4, I8 and I10: only a whole image that is wished for is ever armed.
    fn check_selector(
        &self,
        chip: &impl Raw,
        running: Running,
        was_on_trial: bool,
        open: Option<(&str, usize)>,
        may_arm: bool,
    ) -> Result<(), Violation> {
        for entry in self.entries(chip) {
            if !entry.counts() {
                continue;
            }
            let Some(release) = self.release_in(chip, entry.slot()) else {
                return broken("I4", format!("{entry:?} names a slot without a whole image"));
            };
            let is_armed = entry.is_armed() && entry.slot() != running.slot && !was_on_trial;
            // No checksum covers an entry's state: given up, 4, is one bit from armed, 0.
            if !is_armed || self.selector_rots || self.may_lack_a_record() {
                continue;
            }
            match open {
                Some((id, wished)) if wished == release.number => {
                    if self.given_up.iter().any(|(given, number)| given == id && *number == wished)
                    {
                        return broken("I8", format!("release {wished} is tried again under {id}"));
                    }
                }
                open => {
                    let number = release.number;
                    return broken("I4", format!("release {number} is armed, wished is {open:?}"));
                }
            }
            if !may_arm {
                return broken("I10", "armed after the wish was taken back");
            }
        }
        Ok(())
    }

    /// A wish was made: erases count from here.
    pub fn wished(&mut self, erases: &[u32]) {
        self.erases = erases.to_vec();
        self.tries = 0;
    }

    /// I5: a patch is worth a look and never a try. What ends a download while one is asked for
    /// is the link's fault, or that of flash.
    pub fn patch_failed(&self, reason: Reason) -> Result<(), Violation> {
        use Reason::{DownloadStalled, FlashFailed, LinkDownWhileDownloading};
        match reason {
            DownloadStalled | FlashFailed | LinkDownWhileDownloading => Ok(()),
            reason => broken("I5", format!("a patch ended a download: {reason}")),
        }
    }

    /// An update failed or was begun anew: its sectors may be erased once more.
    pub fn tried_again(&mut self) {
        self.tries += 1;
    }

    /// An update ended: I9, and what may not be tried again.
    pub fn ended(
        &mut self,
        erases: &[u32],
        id: &str,
        release: usize,
        outcome: &str,
    ) -> Result<(), Violation> {
        if outcome == "rolled_back" {
            self.given_up.push((id.to_owned(), release));
        }
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

/// A digest as reports write it.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
