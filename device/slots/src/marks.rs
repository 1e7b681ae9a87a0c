//! What stands behind an entry of the selector: marks that ESP-IDF's bootloader never reads.
//!
//! An entry's state has no checksum, and no write changes it without an erase. A mark is a
//! unit of its own, written once into erased flash, with its entry's sequence and a CRC. State
//! words differ from each other, from erased and from zero in at least 8 bits.
//!
//! | at | |
//! | --- | --- |
//! | 0 | the entry |
//! | 32 | ticket: the sequence once more, and whether it was written for a trial |
//! | 64, 96, 128, 160 | a trial began: written by [`loader`](crate::loader) before it starts the image |
//! | 192, 224, 256 | confirmed |
//! | 288, 320 | given up |
//!
//! There is a place more than marks are needed: one whose bit turned over takes none.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use crate::FlashError;
use crate::flash::{self, UNIT_BYTES};
use crate::otadata::{ENTRY_BYTES, Entry, EntryState};
use crate::sealed::{self, Sealed, put, seal, word};

const TRIAL_WORD: u32 = 0x0FF0_3CC3;
const VALID_WORD: u32 = 0xF03C_5AA5;
const TRY_WORD: u32 = 0x69A5_0F33;
const CONFIRMED_WORD: u32 = 0x965A_CC0F;
const GIVEN_UP_WORD: u32 = 0xA596_F0CC;

/// Bytes of entry and ticket, which are written and voided together.
pub(crate) const TICKETED_BYTES: usize = ENTRY_BYTES + UNIT_BYTES;
const TICKET: u32 = 32;
const TRIES: [u32; 4] = [64, 96, 128, 160];
/// Where the marks are that confirm, one behind the other: they are voided with the entry, which
/// they stand for.
pub(crate) const CONFIRMED: [u32; 3] = [192, 224, 256];
const GIVEN_UP: [u32; 2] = [288, 320];
/// Bytes of an entry and everything behind it.
pub(crate) const MARKS_BYTES: usize = 352;

/// The marks of one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// How often the loader began a trial; torn marks count.
    pub(crate) tries: u8,
    /// Whether a whole one of them is there: this sector's entry is the loader's.
    pub(crate) is_loaders: bool,
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Try,
    Confirmed,
    GivenUp,
}

impl Mark {
    fn word(self) -> u32 {
        match self {
            Mark::Try => TRY_WORD,
            Mark::Confirmed => CONFIRMED_WORD,
            Mark::GivenUp => GIVEN_UP_WORD,
        }
    }

    fn places(self) -> &'static [u32] {
        match self {
            Mark::Try => &TRIES,
            Mark::Confirmed => &CONFIRMED,
            Mark::GivenUp => &GIVEN_UP,
        }
    }
}

/// The ticket that goes with an entry. An entry that is given up has none.
pub(crate) fn ticket(sequence: u32, state: EntryState) -> Sealed {
    match state {
        EntryState::New => unit(TRIAL_WORD, sequence),
        EntryState::Valid => unit(VALID_WORD, sequence),
        _ => [0xFF; UNIT_BYTES],
    }
}

fn unit(state: u32, sequence: u32) -> Sealed {
    let mut bytes = [0xFF; UNIT_BYTES];
    put(&mut bytes, 0, state);
    put(&mut bytes, 4, sequence);
    seal(&mut bytes);
    bytes
}

/// Reads an entry with what its ticket and marks make of it.
///
/// A ticket speaks for an entry that rotted if `repairs`, or if the loader started it: ESP-IDF's
/// bootloader does not read tickets, and what it starts must not be mistaken. So does a mark that
/// confirms: power may have gone while the entry was written, which read whole in its trial alone.
pub(crate) fn read<F: ReadNorFlash>(
    flash: &mut F,
    sector: u32,
    repairs: bool,
) -> Result<(Entry, Marks), FlashError> {
    let mut bytes = [0; MARKS_BYTES];
    flash::read(flash, sector, &mut bytes)?;
    let (units, _) = bytes.as_chunks();
    let mut entry = Entry::from_bytes(at(units, 0));
    if let Some(ticket) = sealed::open(at(units, TICKET), &[TRIAL_WORD, VALID_WORD]) {
        let sequence = word(&ticket, 4);
        let is_right = match entry.is_intact() {
            true => entry.sequence == sequence,
            false => repairs || is_set(units, Mark::Try, sequence),
        };
        if is_right {
            let is_trial = word(&ticket, 0) == TRIAL_WORD;
            let state = if is_trial { EntryState::New } else { EntryState::Valid };
            entry = Entry::new(sequence, state);
        }
    }
    if !entry.is_intact()
        && let Some(sequence) = sequences(units, Mark::Confirmed).next()
    {
        entry = Entry::new(sequence, EntryState::Valid);
    }
    if !entry.is_intact() {
        return Ok((entry, Marks::default()));
    }
    let tries = TRIES.iter().filter(|&&place| !is_blank(at(units, place))).count() as u8;
    let marks = Marks { tries, is_loaders: is_set(units, Mark::Try, entry.sequence) };
    // A mark of giving up is believed when it is torn, too: nothing follows it.
    if GIVEN_UP.iter().any(|&place| !is_blank(at(units, place))) {
        entry.state = EntryState::Invalid;
    } else if is_set(units, Mark::Confirmed, entry.sequence) {
        entry.state = EntryState::Valid;
    } else if tries > 0 && matches!(entry.state, EntryState::New | EntryState::Unknown(_)) {
        entry.state = EntryState::PendingVerify;
    }
    Ok((entry, marks))
}

/// Whether such a mark of that sequence stands in one of its places.
#[inline(never)] // A chip has room for it once.
fn is_set(units: &[Sealed], mark: Mark, sequence: u32) -> bool {
    sequences(units, mark).any(|found| found == sequence)
}

/// The sequences of such marks.
fn sequences(units: &[Sealed], mark: Mark) -> impl Iterator<Item = u32> {
    mark.places().iter().filter_map(move |&place| {
        let found = sealed::open(at(units, place), &[mark.word()]);
        found.map(|found| word(&found, 4))
    })
}

/// The unit at a place.
fn at(units: &[Sealed], place: u32) -> &Sealed {
    units.get(place as usize / UNIT_BYTES).unwrap_or(&[0xFF; UNIT_BYTES])
}

/// Erased, but for one bit at most.
fn is_blank(bytes: &Sealed) -> bool {
    bytes.iter().map(|byte| byte.count_zeros()).sum::<u32>() <= 1
}

/// Writes a mark into the first free place of its kind. `false` when none takes it.
pub(crate) fn add<F: NorFlash>(
    flash: &mut F,
    sector: u32,
    mark: Mark,
    sequence: u32,
) -> Result<bool, FlashError> {
    let bytes = unit(mark.word(), sequence);
    for &place in mark.places() {
        let mut found = [0; UNIT_BYTES];
        flash::read(flash, sector + place, &mut found)?;
        if found != [0xFF; UNIT_BYTES] {
            continue;
        }
        match flash::write_checked(flash, sector + place, &bytes) {
            Ok(()) => return Ok(true),
            Err(FlashError::ReadBack { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_words_are_far_apart() {
        let words = [TRIAL_WORD, VALID_WORD, TRY_WORD, CONFIRMED_WORD, GIVEN_UP_WORD, u32::MAX, 0];
        for (index, first) in words.iter().enumerate() {
            for second in &words[index + 1..] {
                let distance = (first ^ second).count_ones();
                assert!(distance >= 8, "{first:#x} and {second:#x} differ in {distance} bits");
            }
        }
    }
}
