//! The ESP-IDF boot selector, from the application's side.
//!
//! Two 32-byte entries, each at the start of its own sector: sequence, label,
//! state, CRC. The CRC covers only the sequence, and the entry with the higher
//! sequence chooses the slot `(sequence - 1) % 2`. Every change here is read
//! back, and an entry's sequence is written last where the write unit allows,
//! so a torn write leaves an entry the bootloader ignores.
//!
//! Behind each entry are marks, for a bootloader of ours: see [`loader`](crate::loader). Which
//! of the two started the running firmware is told by them: ours left one.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use crate::crc::otadata_crc;
use crate::flash::{self, Region, SECTOR_BYTES, UNIT_BYTES};
use crate::marks::{self, CONFIRMED, MARKS_BYTES, Mark, Marks, TICKETED_BYTES};
use crate::{FlashError, Layout, Slot};

/// Length of an entry in bytes.
pub const ENTRY_BYTES: usize = 32;
/// The first half holds the sequence, the second the state and the CRC.
const HALF_BYTES: usize = ENTRY_BYTES / 2;
/// How many slots the sequence counts over.
const SLOTS: u32 = 2;

/// What an entry says about the image it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// Armed, not booted yet.
    New,
    /// Booted once and not confirmed: the next boot gives it up.
    PendingVerify,
    /// Confirmed.
    Valid,
    /// Given up by the application.
    Invalid,
    /// Given up by the bootloader: it was still unconfirmed at the next boot.
    Aborted,
    /// Boots without a trial, as bootloaders without rollback write it.
    Undefined,
    /// Any other word; the bootloader boots it without a trial.
    Unknown(u32),
}

impl EntryState {
    /// The state a word in flash stands for.
    pub const fn from_word(word: u32) -> EntryState {
        match word {
            0 => EntryState::New,
            1 => EntryState::PendingVerify,
            2 => EntryState::Valid,
            3 => EntryState::Invalid,
            4 => EntryState::Aborted,
            u32::MAX => EntryState::Undefined,
            other => EntryState::Unknown(other),
        }
    }

    /// The word in flash.
    pub const fn word(self) -> u32 {
        match self {
            EntryState::New => 0,
            EntryState::PendingVerify => 1,
            EntryState::Valid => 2,
            EntryState::Invalid => 3,
            EntryState::Aborted => 4,
            EntryState::Undefined => u32::MAX,
            EntryState::Unknown(other) => other,
        }
    }
}

/// One entry exactly as it is in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Higher wins; `u32::MAX` is an erased entry.
    pub sequence: u32,
    /// Not used by anyone; kept as found.
    pub label: [u8; 20],
    /// What it says about its image.
    pub state: EntryState,
    /// As found, right or wrong.
    pub crc: u32,
}

impl Entry {
    /// An entry with the right CRC.
    pub fn new(sequence: u32, state: EntryState) -> Entry {
        Entry { sequence, label: [0xFF; 20], state, crc: otadata_crc(sequence) }
    }

    /// Reads any 32 bytes as an entry.
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Entry {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let mut label = [0; 20];
        label.copy_from_slice(&bytes[4..24]);
        Entry { sequence: word(0), label, state: EntryState::from_word(word(24)), crc: word(28) }
    }

    /// The bytes in flash.
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[4..24].copy_from_slice(&self.label);
        bytes[24..28].copy_from_slice(&self.state.word().to_le_bytes());
        bytes[28..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// Whether the CRC is the sequence's and the sequence is not the erased one.
    pub fn is_intact(&self) -> bool {
        self.sequence != u32::MAX && self.crc == otadata_crc(self.sequence)
    }

    /// `bootloader_common_ota_select_invalid`: erased or given up. Never looks at the CRC.
    pub fn is_given_up(&self) -> bool {
        self.sequence == u32::MAX || matches!(self.state, EntryState::Invalid | EntryState::Aborted)
    }

    /// `bootloader_common_ota_select_valid`: the bootloader may choose by it.
    pub fn is_bootable(&self) -> bool {
        !self.is_given_up() && self.crc == otadata_crc(self.sequence)
    }

    /// The slot the sequence stands for.
    pub fn slot(&self) -> Slot {
        // The bootloader subtracts in 32 bits too: sequence 0 stands for the last slot.
        match self.sequence.wrapping_sub(1) % SLOTS {
            0 => Slot::Ota0,
            _ => Slot::Ota1,
        }
    }
}

/// Both entries, as read at one moment, with what the marks behind them make of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtaData {
    /// By sector.
    pub entries: [Entry; 2],
    marks: [Marks; 2],
}

impl OtaData {
    /// Reads both entries.
    pub fn read<F: ReadNorFlash>(flash: &mut F, layout: &Layout) -> Result<OtaData, FlashError> {
        OtaData::read_marked(flash, layout, false)
    }

    /// Reads both entries as a bootloader of ours does: a ticket stands for a rotten entry.
    pub(crate) fn read_repaired<F: ReadNorFlash>(
        flash: &mut F,
        layout: &Layout,
    ) -> Result<OtaData, FlashError> {
        OtaData::read_marked(flash, layout, true)
    }

    fn read_marked<F: ReadNorFlash>(
        flash: &mut F,
        layout: &Layout,
        repairs: bool,
    ) -> Result<OtaData, FlashError> {
        let [first, second] = [0, 1].map(|index| entry_region(layout, index).offset);
        let (first, first_marks) = marks::read(flash, first, repairs)?;
        let (second, second_marks) = marks::read(flash, second, repairs)?;
        Ok(OtaData { entries: [first, second], marks: [first_marks, second_marks] })
    }

    /// The entry of a sector, 0 or 1.
    fn entry(&self, index: usize) -> &Entry {
        let [first, second] = &self.entries;
        if index == 0 { first } else { second }
    }

    fn marks_of(&self, index: usize) -> Marks {
        let [first, second] = self.marks;
        if index == 0 { first } else { second }
    }

    /// How often the loader began a trial of an entry's image.
    pub(crate) fn tries(&self, index: usize) -> u8 {
        self.marks_of(index).tries
    }

    /// Reads both entries as ESP-IDF's bootloader does, which knows of no marks.
    pub fn read_entries<F: ReadNorFlash>(
        flash: &mut F,
        layout: &Layout,
    ) -> Result<OtaData, FlashError> {
        let mut entries = [Entry::new(u32::MAX, EntryState::Undefined); 2];
        for (index, entry) in entries.iter_mut().enumerate() {
            let mut bytes = [0; ENTRY_BYTES];
            flash::read(flash, entry_region(layout, index).offset, &mut bytes)?;
            *entry = Entry::from_bytes(&bytes);
        }
        Ok(OtaData { entries, marks: Default::default() })
    }

    /// The entry the bootloader chooses by: the higher sequence, the first on a tie.
    pub fn active(&self) -> Option<usize> {
        let [first, second] = &self.entries;
        match (first.is_bootable(), second.is_bootable()) {
            (true, true) => Some(usize::from(second.sequence > first.sequence)),
            (true, false) => Some(0),
            (false, true) => Some(1),
            (false, false) => None,
        }
    }

    /// The slot the active entry names.
    pub fn active_slot(&self) -> Option<Slot> {
        self.active().map(|index| self.entry(index).slot())
    }

    /// What the newest intact entry that names `slot` says; `None` without one.
    pub fn state_of(&self, slot: Slot) -> Option<EntryState> {
        self.newest_of(slot).map(|index| self.entry(index).state)
    }

    /// Whether a bootloader of ours started the slot's image as often as it starts one that
    /// is not confirmed. While it runs, it may be the last of these tries.
    pub fn is_worn_out(&self, slot: Slot) -> bool {
        self.newest_of(slot).is_some_and(|index| {
            self.entry(index).state == EntryState::PendingVerify
                && self.marks_of(index).tries >= crate::loader::TRIES
        })
    }

    fn newest_of(&self, slot: Slot) -> Option<usize> {
        let names_slot =
            |&index: &usize| self.entry(index).is_intact() && self.entry(index).slot() == slot;
        [0, 1].into_iter().filter(names_slot).max_by_key(|&index| self.entry(index).sequence)
    }
}

/// Why the boot selector was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtaDataError {
    /// Flash failed; the entry that was being written may be blank.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// The running image is on trial, so the other slot is its only way back.
    #[error("slot {slot} runs unconfirmed: the other slot is its way back")]
    Unconfirmed {
        /// The running slot.
        slot: Slot,
    },
    /// The bootloader was told to boot another slot than the one that runs.
    #[error("slot {slot} is not the one otadata names")]
    NotActive {
        /// The running slot.
        slot: Slot,
    },
    /// There is nothing to go back to.
    #[error("no other slot is bootable")]
    NoOtherSlot,
    /// Four billion updates were made.
    #[error("otadata sequence {found} cannot rise")]
    SequenceExhausted {
        /// The highest sequence in use.
        found: u32,
    },
}

/// Makes `running` the only slot the bootloader can be told to boot.
///
/// To be done before the other slot is written: a half-written image must
/// never be named. The other entry is voided and erased even where it reads as erased: power may
/// have gone in it, and left it for a later power-on.
///
/// Errors: [`OtaDataError::Unconfirmed`] while `running` is on trial.
pub fn prepare<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    running: Slot,
) -> Result<(), OtaDataError> {
    flash::check_geometry::<F>()?;
    let found = OtaData::read(flash, layout)?;
    // `New` while it runs: a bootloader without rollback left it as armed.
    if let Some(EntryState::New | EntryState::PendingVerify) = found.state_of(running) {
        return Err(OtaDataError::Unconfirmed { slot: running });
    }
    let runs = |entry: &Entry| entry.is_bootable() && entry.slot() == running;
    let keep = match found.active() {
        Some(active) if runs(found.entry(active)) => active,
        Some(active) if runs(found.entry(1 - active)) => 1 - active,
        // The bootloader fell back to `running` by itself. Its new entry must
        // outrank the stale one before that is erased.
        Some(active) => {
            let sequence = next_sequence(found.entry(active).sequence, running)?;
            write_entry(flash, layout, 1 - active, sequence, EntryState::Valid)?;
            1 - active
        }
        None => {
            write_entry(flash, layout, 0, running.index() as u32 + 1, EntryState::Valid)?;
            0
        }
    };
    Ok(erase_entry(flash, entry_region(layout, 1 - keep).offset)?)
}

/// [`prepare`], unless it was done since power came, as far as flash tells.
pub(crate) fn prepare_once<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    running: Slot,
) -> Result<(), OtaDataError> {
    let found = OtaData::read(flash, layout)?;
    let is_named = |&index: &usize| {
        let entry = found.entry(index);
        entry.state == EntryState::Valid && entry.slot() == running
    };
    if let Some(index) = found.active().filter(is_named) {
        let stale = entry_region(layout, 1 - index).offset;
        if flash::is_blank(flash, Region::new(stale, MARKS_BYTES as u32))? {
            return Ok(());
        }
    }
    prepare(flash, layout, running)
}

/// Arms a trial boot: the next restart boots `target`, once.
///
/// The caller has verified the bytes in the slot. Arming the slot that is
/// already named rewrites its entry, so a trial can be tried again.
pub fn set_boot<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    target: Slot,
) -> Result<(), OtaDataError> {
    flash::check_geometry::<F>()?;
    let found = OtaData::read(flash, layout)?;
    let (index, sequence) = match found.active() {
        Some(active) if found.entry(active).slot() == target => {
            (active, found.entry(active).sequence)
        }
        Some(active) => (1 - active, next_sequence(found.entry(active).sequence, target)?),
        None => (0, target.index() as u32 + 1),
    };
    write_entry(flash, layout, index, sequence, EntryState::New)?;
    Ok(())
}

/// Confirms the running image. `Ok` only once that reads back from flash.
///
/// Under ESP-IDF's bootloader a power cut before leaves the entry blank, and the other slot
/// boots next: report "confirmed" only after this returned. For an image that is confirmed
/// already it says so a second time, elsewhere: power may have gone in the first, and left
/// cells that read differently at every power-on. Where no entry counts any more, as after a
/// flipped bit, the running slot gets one.
pub fn mark_valid<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    running: Slot,
) -> Result<(), OtaDataError> {
    flash::check_geometry::<F>()?;
    let found = OtaData::read(flash, layout)?;
    if found.active().is_none() {
        return Ok(write_entry(flash, layout, 0, running.index() as u32 + 1, EntryState::Valid)?);
    }
    let index = active_entry_of(&found, running)?;
    let entry = found.entry(index);
    let sector = entry_region(layout, index).offset;
    if found.marks_of(index).is_loaders
        && marks::add(flash, sector, Mark::Confirmed, entry.sequence)?
    {
        return Ok(());
    }
    if entry.state != EntryState::Valid {
        return Ok(write_entry(flash, layout, index, entry.sequence, EntryState::Valid)?);
    }
    // Whatever stands there: of two that read as confirmed, power may have gone in either.
    let sequence = next_sequence(entry.sequence, running)?;
    Ok(write_entry(flash, layout, 1 - index, sequence, EntryState::Valid)?)
}

/// Gives the running image up: the next restart boots the other slot.
///
/// Errors: [`OtaDataError::NoOtherSlot`] when no entry names the other slot;
/// nothing is written then.
pub fn mark_invalid<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    running: Slot,
) -> Result<(), OtaDataError> {
    flash::check_geometry::<F>()?;
    let found = OtaData::read(flash, layout)?;
    let index = active_entry_of(&found, running)?;
    let entry = found.entry(index);
    let other = found.entry(1 - index);
    if !other.is_bootable() || other.slot() == running {
        return Err(OtaDataError::NoOtherSlot);
    }
    let sector = entry_region(layout, index).offset;
    if found.marks_of(index).is_loaders && marks::add(flash, sector, Mark::GivenUp, entry.sequence)?
    {
        return Ok(());
    }
    write_entry(flash, layout, index, entry.sequence, EntryState::Invalid)?;
    Ok(())
}

/// Gives the running image up even where no entry names the other slot any more, as after
/// a flipped bit: then a new entry, which outranks all, makes the other slot boot.
///
/// `image_ok` says whether a slot holds an image that may run; it is asked only then.
///
/// Errors: [`OtaDataError::NoOtherSlot`] when there is nothing to go back to, or both entries name
/// the other slot already: the bootloader found its image wanting, and would again.
pub fn roll_back<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    running: Slot,
    image_ok: impl FnOnce(&mut F, Region) -> Result<bool, FlashError>,
) -> Result<(), OtaDataError> {
    let found = match mark_invalid(flash, layout, running) {
        Err(OtaDataError::NoOtherSlot | OtaDataError::NotActive { .. }) => {
            OtaData::read(flash, layout)?
        }
        marked => return marked,
    };
    let other = running.other();
    let was_told = found.entries.iter().all(|entry| entry.is_intact() && entry.slot() == other);
    if was_told || !image_ok(flash, layout.slot(other))? {
        return Err(OtaDataError::NoOtherSlot);
    }
    let (index, sequence) = match found.active() {
        Some(active) => (1 - active, next_sequence(found.entry(active).sequence, other)?),
        None => (0, other.index() as u32 + 1),
    };
    Ok(write_entry(flash, layout, index, sequence, EntryState::Valid)?)
}

fn active_entry_of(found: &OtaData, running: Slot) -> Result<usize, OtaDataError> {
    match found.active() {
        Some(index) if found.entry(index).slot() == running => Ok(index),
        _ => Err(OtaDataError::NotActive { slot: running }),
    }
}

/// The smallest sequence above `current` that stands for `slot`.
fn next_sequence(current: u32, slot: Slot) -> Result<u32, OtaDataError> {
    let exhausted = OtaDataError::SequenceExhausted { found: current };
    let mut next = current.checked_add(1).ok_or(exhausted)?;
    if Entry::new(next, EntryState::New).slot() != slot {
        next = next.checked_add(1).ok_or(exhausted)?;
    }
    if next == u32::MAX { Err(exhausted) } else { Ok(next) }
}

pub(crate) fn entry_region(layout: &Layout, index: usize) -> Region {
    Region::new(layout.otadata.offset + index as u32 * SECTOR_BYTES, SECTOR_BYTES)
}

/// Erases an entry and what stands behind it, after making its CRC, its ticket and then what
/// confirms it wrong for good.
///
/// An erase that loses power can leave an entry with its CRC and another state, or a ticket
/// without the mark that gave it up: that image would be started again. And what reads as erased
/// may be what power was cut in, and read as written later. Clearing bits needs no erase. A driver
/// that writes nothing twice refuses; then the erase itself has to do.
fn erase_entry<F: NorFlash>(flash: &mut F, offset: u32) -> Result<(), FlashError> {
    let mut bytes = [0xFF; TICKETED_BYTES];
    // Its state stays what it is: cleared, it would be that of an image to be tried.
    bytes[ENTRY_BYTES - 4..].fill(0);
    let from = ENTRY_BYTES - F::WRITE_SIZE.max(4);
    let _ = flash.write(offset + from as u32, &bytes[from..]);
    let _ = flash.write(offset + CONFIRMED[0], &[0; CONFIRMED.len() * UNIT_BYTES]);
    flash::erase_sector(flash, offset)
}

fn write_entry<F: NorFlash>(
    flash: &mut F,
    layout: &Layout,
    index: usize,
    sequence: u32,
    state: EntryState,
) -> Result<(), FlashError> {
    let offset = entry_region(layout, index).offset;
    let mut bytes = [0; TICKETED_BYTES];
    bytes[..ENTRY_BYTES].copy_from_slice(&Entry::new(sequence, state).to_bytes());
    bytes[ENTRY_BYTES..].copy_from_slice(&marks::ticket(sequence, state));
    erase_entry(flash, offset)?;
    if F::WRITE_SIZE <= HALF_BYTES {
        // State, CRC and ticket first: without its sequence the entry counts
        // as erased, and no torn sequence has the CRC of the whole one.
        flash::write_checked(flash, offset + HALF_BYTES as u32, &bytes[HALF_BYTES..])?;
        flash::write_checked(flash, offset, &bytes[..HALF_BYTES])
    } else {
        flash::write_checked(flash, offset, &bytes)
    }
}
