//! The chip itself.

use std::collections::BTreeMap;
use std::ops::Range;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::{Cut, CutKind, Random, SECTOR_BYTES};

/// Why the chip refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimError {
    /// Power is gone until [`SimFlash::power_on`].
    PowerLost,
    /// Not whole units or sectors.
    NotAligned,
    /// Past the end of the chip.
    OutOfBounds,
    /// The unit was written since its last erase.
    WrittenTwice {
        /// First byte of the unit.
        offset: u32,
    },
}

impl NorFlashError for SimError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            SimError::NotAligned => NorFlashErrorKind::NotAligned,
            SimError::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            SimError::PowerLost | SimError::WrittenTwice { .. } => NorFlashErrorKind::Other,
        }
    }
}

/// A chip that reads and writes units of `UNIT` bytes.
#[derive(Clone, Debug)]
pub struct SimFlash<const UNIT: usize> {
    bytes: Vec<u8>,
    /// Whether each unit was written since its last erase.
    written: Vec<bool>,
    /// Cells whose charge is undecided: offset to bits.
    weak: BTreeMap<u32, u8>,
    /// Writes and erases in here leave their first byte as it is.
    worn_out: Range<u32>,
    erases: Vec<u32>,
    operations: u64,
    cut: Option<Cut>,
    powered: bool,
    power_ons: u64,
}

impl<const UNIT: usize> SimFlash<UNIT> {
    /// A blank chip of `size_bytes`, a multiple of the sector length.
    pub fn new(size_bytes: usize) -> SimFlash<UNIT> {
        assert!(size_bytes.is_multiple_of(SECTOR_BYTES), "a chip has whole sectors");
        SimFlash {
            bytes: vec![0xFF; size_bytes],
            written: vec![false; size_bytes / UNIT],
            weak: BTreeMap::new(),
            worn_out: 0..0,
            erases: vec![0; size_bytes / SECTOR_BYTES],
            operations: 0,
            cut: None,
            powered: true,
            power_ons: 0,
        }
    }

    /// What the cells hold, weak ones as if they were sound.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Replaces bytes as a programming cable would: no rules, no operation.
    pub fn load(&mut self, offset: u32, bytes: &[u8]) {
        let start = offset as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        let units = start / UNIT..(start + bytes.len()).div_ceil(UNIT);
        self.weak.retain(|&at, _| !(start..start + bytes.len()).contains(&(at as usize)));
        for unit in units {
            let cells = &self.bytes[unit * UNIT..(unit + 1) * UNIT];
            self.written[unit] = cells.iter().any(|&byte| byte != 0xFF);
        }
    }

    /// Turns one bit over, as a cosmic ray would.
    pub fn flip_bit(&mut self, offset: u32, bit: u8) {
        self.bytes[offset as usize] ^= 1 << bit;
    }

    /// Makes writes and erases in a range fail silently: the first byte keeps its value.
    pub fn wear_out(&mut self, range: Range<u32>) {
        self.worn_out = range;
    }

    /// Sets the next cut and counts operations from 0 again.
    pub fn cut_power(&mut self, cut: Cut) {
        self.operations = 0;
        self.cut = Some(cut);
    }

    /// Removes the cut, restores power, and lets weak cells decide anew.
    pub fn power_on(&mut self) {
        self.cut = None;
        self.powered = true;
        self.power_ons += 1;
    }

    /// Whether power is there.
    pub fn is_powered(&self) -> bool {
        self.powered
    }

    /// Operations since the chip was made or a cut was set.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// How often each sector was erased.
    pub fn erases(&self) -> &[u32] {
        &self.erases
    }

    /// Counts one operation; the cut's kind when it is the one.
    fn next_operation(&mut self) -> Option<CutKind> {
        let cut = self.cut.filter(|cut| cut.at_operation == self.operations);
        self.operations += 1;
        if cut.is_some() {
            self.powered = false;
        }
        cut.map(|cut| cut.kind)
    }

    fn check(&self, offset: u32, length: usize, unit: usize) -> Result<(), SimError> {
        if !self.powered {
            return Err(SimError::PowerLost);
        }
        let end = (offset as usize).checked_add(length);
        if end.is_none_or(|end| end > self.bytes.len()) {
            return Err(SimError::OutOfBounds);
        }
        if (offset as usize).is_multiple_of(unit) && length.is_multiple_of(unit) {
            Ok(())
        } else {
            Err(SimError::NotAligned)
        }
    }

    fn erase_one(&mut self, sector: usize) -> Result<(), SimError> {
        let start = sector * SECTOR_BYTES;
        let range = start..start + SECTOR_BYTES;
        let cut = self.next_operation();
        if cut == Some(CutKind::Before) {
            return Err(SimError::PowerLost);
        }
        self.erases[sector] += 1;
        let worn_out = Some(self.worn_out.start as usize)
            .filter(|at| range.contains(at) && !self.worn_out.is_empty())
            .map(|at| (at, self.bytes[at]));
        let weak_before: Vec<u32> =
            self.weak.range(start as u32..range.end as u32).map(|(&at, _)| at).collect();
        match cut {
            None | Some(CutKind::After | CutKind::Weak { .. }) => {
                for at in weak_before {
                    self.weak.remove(&at);
                }
                if let Some(CutKind::Weak { seed }) = cut {
                    let changed: Vec<u8> = self.bytes[range.clone()].iter().map(|b| !b).collect();
                    self.weaken(start, &changed, seed);
                }
                self.bytes[range.clone()].fill(0xFF);
                self.written[range.start / UNIT..range.end / UNIT].fill(false);
            }
            Some(kind) => {
                for (cell, done) in self.bytes[range].iter_mut().zip(kind.done_bits(SECTOR_BYTES)) {
                    *cell |= done;
                }
            }
        }
        if let Some((at, before)) = worn_out {
            self.bytes[at] = before;
        }
        if cut.is_some() { Err(SimError::PowerLost) } else { Ok(()) }
    }

    fn program(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        let start = offset as usize;
        let units = start / UNIT..(start + bytes.len()) / UNIT;
        if let Some(unit) = units.clone().find(|&unit| self.written[unit]) {
            return Err(SimError::WrittenTwice { offset: (unit * UNIT) as u32 });
        }
        let cut = self.next_operation();
        let before: Vec<u8> = self.bytes[start..start + bytes.len()].to_vec();
        let done = cut.map(|kind| kind.done_bits(bytes.len()));
        for (index, (cell, byte)) in self.bytes[start..].iter_mut().zip(bytes).enumerate() {
            let clear = !byte & done.as_ref().map_or(0xFF, |done| done[index]);
            *cell &= !clear;
        }
        if self.worn_out.contains(&offset) {
            self.bytes[start] = before[0];
        }
        for unit in units {
            let cells = &self.bytes[unit * UNIT..(unit + 1) * UNIT];
            self.written[unit] = cut.is_none() || cells.iter().any(|&cell| cell != 0xFF);
        }
        if let Some(CutKind::Weak { seed }) = cut {
            let changed: Vec<u8> = before.iter().zip(bytes).map(|(old, new)| old & !new).collect();
            self.weaken(start, &changed, seed);
        }
        if cut.is_some() { Err(SimError::PowerLost) } else { Ok(()) }
    }

    /// One changed bit in eight stays undecided.
    fn weaken(&mut self, start: usize, changed: &[u8], seed: u64) {
        let mut random = Random::new(seed);
        for (index, &bits) in changed.iter().enumerate() {
            let undecided = bits & random.next_u8() & random.next_u8() & random.next_u8();
            if undecided != 0 {
                self.weak.insert((start + index) as u32, undecided);
            }
        }
    }
}

impl<const UNIT: usize> ErrorType for SimFlash<UNIT> {
    type Error = SimError;
}

impl<const UNIT: usize> ReadNorFlash for SimFlash<UNIT> {
    const READ_SIZE: usize = UNIT;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.check(offset, bytes.len(), UNIT)?;
        let start = offset as usize;
        bytes.copy_from_slice(&self.bytes[start..start + bytes.len()]);
        for (&at, &bits) in self.weak.range(offset..offset + bytes.len() as u32) {
            // The same until the next power-on: a cell decides once it is warm.
            let noise = Random::new(u64::from(at) ^ (self.power_ons << 32)).next_u8();
            bytes[(at - offset) as usize] ^= bits & noise;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const UNIT: usize> NorFlash for SimFlash<UNIT> {
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = SECTOR_BYTES;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        let length = to.checked_sub(from).ok_or(SimError::OutOfBounds)? as usize;
        self.check(from, length, SECTOR_BYTES)?;
        let first = from as usize / SECTOR_BYTES;
        for sector in first..first + length / SECTOR_BYTES {
            self.erase_one(sector)?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.check(offset, bytes.len(), UNIT)?;
        self.program(offset, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip() -> SimFlash<4> {
        SimFlash::new(2 * SECTOR_BYTES)
    }

    fn cut_write(kind: CutKind) -> SimFlash<4> {
        let mut flash = chip();
        flash.cut_power(Cut { at_operation: 0, kind });
        assert_eq!(flash.write(0, &[0x0F; 8]), Err(SimError::PowerLost));
        assert_eq!(flash.read(0, &mut [0; 4]), Err(SimError::PowerLost));
        flash.power_on();
        flash
    }

    #[test]
    fn unit_is_written_once_between_erases() {
        let mut flash = chip();
        flash.write(4, &[0; 4]).unwrap();
        assert_eq!(flash.write(0, &[0xFF; 8]), Err(SimError::WrittenTwice { offset: 4 }));
        flash.erase(0, 4096).unwrap();
        flash.write(0, &[1; 8]).unwrap();
        assert_eq!(flash.erases(), [1, 0]);
    }

    #[test]
    fn only_whole_units_and_sectors_are_accepted() {
        let mut flash = chip();
        assert_eq!(flash.write(2, &[0; 4]), Err(SimError::NotAligned));
        assert_eq!(flash.write(0, &[0; 3]), Err(SimError::NotAligned));
        assert_eq!(flash.read(1, &mut [0; 4]), Err(SimError::NotAligned));
        assert_eq!(flash.erase(0, 4095), Err(SimError::NotAligned));
        assert_eq!(flash.erase(4096, 0), Err(SimError::OutOfBounds));
        assert_eq!(flash.write(8192, &[0; 4]), Err(SimError::OutOfBounds));
    }

    #[test]
    fn torn_write_leaves_what_the_cut_says() {
        assert_eq!(cut_write(CutKind::Before).bytes()[..8], [0xFF; 8]);
        assert_eq!(cut_write(CutKind::After).bytes()[..8], [0x0F; 8]);
        assert_eq!(
            cut_write(CutKind::Prefix { bytes: 3 }).bytes()[..8],
            [0x0F, 0x0F, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
        );
        assert_eq!(
            cut_write(CutKind::Suffix { bytes: 1 }).bytes()[..8],
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]
        );
        assert_eq!(
            cut_write(CutKind::Mask { word: 0xF0 }).bytes()[..8],
            [0x0F, 0xFF, 0xFF, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF]
        );
        let bits = cut_write(CutKind::Bits { seed: 1 });
        assert!(bits.bytes()[..8].iter().all(|byte| byte & 0x0F == 0x0F));
    }

    #[test]
    fn torn_erase_keeps_the_rest() {
        let mut flash = chip();
        flash.load(0, &[0; 4096]);
        flash.cut_power(Cut { at_operation: 0, kind: CutKind::Prefix { bytes: 10 } });
        assert_eq!(flash.erase(0, 8192), Err(SimError::PowerLost));
        assert_eq!(flash.bytes()[9..12], [0xFF, 0, 0]);
    }

    #[test]
    fn weak_cells_change_with_power_and_are_sound_after_an_erase() {
        let mut flash = chip();
        flash.load(0, &[0; 4096]);
        flash.cut_power(Cut { at_operation: 0, kind: CutKind::Weak { seed: 3 } });
        flash.erase(0, 4096).unwrap_err();
        let mut reads = Vec::new();
        for _ in 0..4 {
            flash.power_on();
            let mut bytes = vec![0; 4096];
            flash.read(0, &mut bytes).unwrap();
            reads.push(bytes);
        }
        assert!(reads.windows(2).any(|pair| pair[0] != pair[1]));
        flash.erase(0, 4096).unwrap();
        let mut bytes = vec![0; 4096];
        flash.read(0, &mut bytes).unwrap();
        assert_eq!(bytes, vec![0xFF; 4096]);
    }

    #[test]
    fn worn_out_cells_take_neither_write_nor_erase() {
        let mut flash = chip();
        flash.wear_out(4..8);
        flash.write(4, &[0; 4]).unwrap();
        assert_eq!(flash.bytes()[4..8], [0xFF, 0, 0, 0]);
        flash.load(0, &[7; 8]);
        flash.erase(0, 4096).unwrap();
        assert_eq!(flash.bytes()[3..6], [0xFF, 7, 0xFF]);
    }
}
