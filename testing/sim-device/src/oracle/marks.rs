//! What stands behind an entry of the selector, for a bootloader of ours: read from raw bytes.
//!
//! | at | word | |
//! | --- | --- | --- |
//! | 32 | 0x0FF03CC3, 0xF03C5AA5 | ticket: on trial, confirmed |
//! | 64, 96, 128, 160 | 0x69A50F33 | a try |
//! | 192, 224, 256 | 0x965ACC0F | confirmed |
//! | 288, 320 | 0xA596F0CC | given up |
//!
//! Each is 32 bytes: word, sequence of the entry, CRC-32C of 0..28 at 28. One bit may have
//! turned over. Tries and what was given up count once two bits of them are written.

use super::records::sealed;
use super::selector::{ABORTED, EntrySeen, INVALID, NEW, PENDING, VALID};
use super::word;

/// What the marks make of an entry.
pub(super) fn with_marks(entry: EntrySeen, sector: &[u8]) -> EntrySeen {
    let says =
        |at: usize, state: u32| sealed(&sector[at..at + 32], &[state]).map(|found| word(&found, 4));
    let mut entry = entry;
    let is_intact = entry.crc_holds && entry.sequence != u32::MAX;
    for (state, meaning) in [(0x0FF0_3CC3, NEW), (0xF03C_5AA5, VALID)] {
        if let Some(sequence) = says(32, state)
            && (!is_intact || sequence == entry.sequence)
        {
            entry = EntrySeen { sequence, state: meaning, crc_holds: true, tries: 0 };
        }
    }
    const CONFIRMED: [usize; 3] = [192, 224, 256];
    let confirms = CONFIRMED.into_iter().find_map(|at| says(at, 0x965A_CC0F));
    let is_none = |entry: &EntrySeen| !entry.crc_holds || entry.sequence == u32::MAX;
    if let Some(sequence) = confirms.filter(|_| is_none(&entry)) {
        entry = EntrySeen { sequence, state: VALID, crc_holds: true, tries: 0 };
    }
    if is_none(&entry) {
        return entry;
    }
    let is_written =
        |&&at: &&usize| sector[at..at + 32].iter().map(|byte| byte.count_zeros()).sum::<u32>() > 1;
    entry.tries = [64, 96, 128, 160].iter().filter(is_written).count() as u8;
    let is_confirmed = CONFIRMED.iter().any(|&at| says(at, 0x965A_CC0F) == Some(entry.sequence));
    if is_written(&&288) || is_written(&&320) {
        entry.state = INVALID;
    } else if is_confirmed {
        entry.state = VALID;
    } else if entry.tries > 0
        && ![PENDING, VALID, INVALID, ABORTED, u32::MAX].contains(&entry.state)
    {
        entry.state = PENDING;
    }
    entry
}
