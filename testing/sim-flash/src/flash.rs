//! The chip itself.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::sector::Sector;
use crate::{Cut, CutKind, Random, SECTOR_BYTES};

#[cfg(test)]
mod tests;

/// Why the chip refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimError {
    /// Power is gone until [`SimFlash::power_on`].
    PowerLost,
    /// Not whole units or sectors.
    NotAligned,
    /// Past the end of the chip.
    OutOfBounds,
    /// The unit was written since its last erase, does not read as erased, and is not only cleared.
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

/// One write, or the erase of one sector, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// First byte, from the start of the chip.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
    /// Whether it is an erase.
    pub is_erase: bool,
}

/// Undecided cells of one byte.
#[derive(Clone, Copy, Debug)]
struct Weak {
    bits: u8,
    /// What decides all cells of one operation alike; otherwise each decides for itself.
    together: Option<u64>,
}

impl Weak {
    /// Which of them read otherwise than they were left. The same until the next power-on: a cell
    /// decides once it is warm.
    fn turned(self, at: u32, power_ons: u64) -> u8 {
        match self.together {
            Some(seed) if Random::new(seed ^ (power_ons << 32)).below(2) == 0 => 0,
            Some(_) => self.bits,
            None => self.bits & Random::new(u64::from(at) ^ (power_ons << 32)).next_u8(),
        }
    }
}

/// A chip that reads and writes units of `UNIT` bytes: 4, or 16 as flash encryption asks for.
/// Nothing is encrypted: an erased cell reads as ones, and a bit that turns over is one bit.
///
/// Sectors are shared between clones until one of them changes, so a clone costs
/// a few microseconds whatever the chip's size.
#[derive(Clone, Debug)]
pub struct SimFlash<const UNIT: usize> {
    /// `None` is an erased sector.
    sectors: Vec<Option<Arc<Sector>>>,
    /// Cells whose charge is undecided, by offset.
    weak: BTreeMap<u32, Weak>,
    /// Writes and erases in here leave their first byte as it is.
    worn_out: Range<u32>,
    /// Whether its driver refuses even zeros over what was written.
    writes_once: bool,
    erases: Vec<u32>,
    operations: u64,
    cut: Option<Cut>,
    powered: bool,
    power_ons: u64,
    /// Operations since the last [`SimFlash::take_trace`], where somebody wants them.
    trace: Option<Vec<Operation>>,
}

impl<const UNIT: usize> SimFlash<UNIT> {
    /// A blank chip of `size_bytes`, a multiple of the sector length.
    pub fn new(size_bytes: usize) -> SimFlash<UNIT> {
        assert!(size_bytes.is_multiple_of(SECTOR_BYTES), "a chip has whole sectors");
        SimFlash {
            sectors: vec![None; size_bytes / SECTOR_BYTES],
            weak: BTreeMap::new(),
            worn_out: 0..0,
            writes_once: false,
            erases: vec![0; size_bytes / SECTOR_BYTES],
            operations: 0,
            cut: None,
            powered: true,
            power_ons: 0,
            trace: None,
        }
    }

    /// What all cells hold, weak ones as if they were sound.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size_bytes()];
        self.copy_cells(0, &mut bytes);
        bytes
    }

    /// What a read finds at this power-on, with power or without: no rules, no operation.
    pub fn look(&self, offset: u32, bytes: &mut [u8]) {
        self.copy_cells(offset as usize, bytes);
        if self.weak.is_empty() {
            return;
        }
        for (&at, weak) in self.weak.range(offset..offset + bytes.len() as u32) {
            bytes[(at - offset) as usize] ^= weak.turned(at, self.power_ons);
        }
    }

    /// Replaces bytes as a programming cable would: no rules, no operation.
    pub fn load(&mut self, offset: u32, bytes: &[u8]) {
        let start = offset as usize;
        self.weak.retain(|&at, _| !(start..start + bytes.len()).contains(&(at as usize)));
        let mut at = start;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(SECTOR_BYTES - at % SECTOR_BYTES));
            let cells = &mut self.sector_mut(at / SECTOR_BYTES).bytes[at % SECTOR_BYTES..];
            cells[..part.len()].copy_from_slice(part);
            at += part.len();
            rest = after;
        }
        self.mark_written(start, bytes.len(), false);
    }

    /// Turns one bit over, as a cosmic ray would.
    pub fn flip_bit(&mut self, offset: u32, bit: u8) {
        let at = offset as usize;
        self.sector_mut(at / SECTOR_BYTES).bytes[at % SECTOR_BYTES] ^= 1 << bit;
    }

    /// Makes writes and erases in a range fail silently: the first byte keeps its value.
    pub fn wear_out(&mut self, range: Range<u32>) {
        self.worn_out = range;
    }

    /// Refuses to write over anything from here on, as drivers may.
    pub fn write_once(&mut self) {
        self.writes_once = true;
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

    /// Begins to note every operation.
    pub fn trace_operations(&mut self) {
        self.trace.get_or_insert_default();
    }

    /// The operations noted since this was called last.
    pub fn take_trace(&mut self) -> Vec<Operation> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn size_bytes(&self) -> usize {
        self.sectors.len() * SECTOR_BYTES
    }

    fn sector_mut(&mut self, number: usize) -> &mut Sector {
        let sector = self.sectors[number].get_or_insert_with(|| Arc::new(Sector::ERASED));
        Arc::make_mut(sector)
    }

    fn copy_cells(&self, offset: usize, bytes: &mut [u8]) {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (start, length) =
                (at % SECTOR_BYTES, rest.len().min(SECTOR_BYTES - at % SECTOR_BYTES));
            let (part, after) = rest.split_at_mut(length);
            match &self.sectors[at / SECTOR_BYTES] {
                Some(sector) => part.copy_from_slice(&sector.bytes[start..start + length]),
                None => part.fill(0xFF),
            }
            at += length;
            rest = after;
        }
    }

    /// Units in the range count as written where `all` are, or a cell of them is.
    fn mark_written(&mut self, start: usize, length: usize, all: bool) {
        let end = (start + length).next_multiple_of(UNIT);
        let mut at = start / UNIT * UNIT;
        while at < end {
            let sector_end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let sector = self.sector_mut(at / SECTOR_BYTES);
            while at < end.min(sector_end) {
                let inside = at % SECTOR_BYTES;
                let cells = &sector.bytes[inside..inside + UNIT];
                let is_written = all || cells.iter().any(|&cell| cell != 0xFF);
                sector.set_written(inside, is_written);
                at += UNIT;
            }
        }
    }

    /// Counts one operation; the cut's kind when it is the one.
    fn next_operation(&mut self, operation: Operation) -> Option<CutKind> {
        if let Some(trace) = &mut self.trace {
            trace.push(operation);
        }
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
        if end.is_none_or(|end| end > self.size_bytes()) {
            return Err(SimError::OutOfBounds);
        }
        if (offset as usize).is_multiple_of(unit) && length.is_multiple_of(unit) {
            Ok(())
        } else {
            Err(SimError::NotAligned)
        }
    }

    fn erase_one(&mut self, number: usize) -> Result<(), SimError> {
        let start = number * SECTOR_BYTES;
        let (offset, length) = (start as u32, SECTOR_BYTES as u32);
        let cut = self.next_operation(Operation { offset, length, is_erase: true });
        if cut == Some(CutKind::Before) {
            return Err(SimError::PowerLost);
        }
        self.erases[number] += 1;
        let worn_at = self.worn_out.start as usize;
        let is_worn = !self.worn_out.is_empty() && worn_at / SECTOR_BYTES == number;
        let mut before = [0xFF; SECTOR_BYTES];
        self.copy_cells(start, &mut before);
        match cut {
            None
            | Some(
                CutKind::After
                | CutKind::Weak { .. }
                | CutKind::Faint { .. }
                | CutKind::Wavering { .. }
                | CutKind::Disturb { .. },
            ) => {
                let mut later = self.weak.split_off(&offset);
                self.weak.append(&mut later.split_off(&(offset + length)));
                self.weaken(start, &before.map(|byte| !byte), cut);
                self.sectors[number] = None;
            }
            Some(kind) => {
                let sector = self.sector_mut(number);
                for (cell, done) in sector.bytes.iter_mut().zip(kind.done_bits(SECTOR_BYTES)) {
                    *cell |= done;
                }
            }
        }
        if is_worn {
            let at = worn_at % SECTOR_BYTES;
            self.sector_mut(number).bytes[at] = before[at];
        }
        if let Some(CutKind::Disturb { seed }) = cut {
            self.disturb(start, seed);
        }
        if cut.is_some() { Err(SimError::PowerLost) } else { Ok(()) }
    }

    fn program(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        let (start, length) = (offset as usize, bytes.len());
        let is_written = |unit: usize| {
            let sector = self.sectors[unit * UNIT / SECTOR_BYTES].as_ref();
            sector.is_some_and(|sector| sector.is_written(unit * UNIT % SECTOR_BYTES))
                && !self.wavers_as_erased(unit * UNIT)
        };
        // Zeros over anything, and ones that change nothing, are sound on every NOR cell.
        let voids = !self.writes_once && bytes.iter().all(|&byte| byte == 0 || byte == 0xFF);
        let mut units = start / UNIT..(start + length) / UNIT;
        if !voids && let Some(unit) = units.find(|&unit| is_written(unit)) {
            return Err(SimError::WrittenTwice { offset: (unit * UNIT) as u32 });
        }
        let operation = Operation { offset, length: length as u32, is_erase: false };
        let cut = self.next_operation(operation);
        let mut before = vec![0; length];
        self.copy_cells(start, &mut before);
        let done = cut.map(|kind| kind.done_bits(length));
        let mut at = start;
        while at < start + length {
            let cells = &mut self.sector_mut(at / SECTOR_BYTES).bytes[at % SECTOR_BYTES..];
            let first = at - start;
            let count = cells.len().min(length - first);
            for (index, cell) in cells[..count].iter_mut().enumerate() {
                let done = done.as_ref().map_or(0xFF, |done| done[first + index]);
                *cell &= bytes[first + index] | !done;
            }
            at += count;
        }
        if self.worn_out.contains(&offset) {
            self.sector_mut(start / SECTOR_BYTES).bytes[start % SECTOR_BYTES] = before[0];
        }
        self.mark_written(start, length, cut.is_none());
        if cut.is_none() {
            self.decide(start, bytes);
        }
        let changed: Vec<u8> = match cut {
            Some(_) => before.iter().zip(bytes).map(|(old, new)| old & !new).collect(),
            None => Vec::new(),
        };
        self.weaken(start, &changed, cut);
        if let Some(CutKind::Disturb { seed }) = cut {
            self.disturb(start, seed);
        }
        if cut.is_some() { Err(SimError::PowerLost) } else { Ok(()) }
    }

    /// Whether nobody can tell at this power-on that the unit was written.
    fn wavers_as_erased(&self, start: usize) -> bool {
        let mut unit = [0; UNIT];
        self.look(start as u32, &mut unit);
        !self.weak.is_empty() && unit == [0xFF; UNIT]
    }

    /// A cell that is programmed for as long as it takes is undecided no more.
    fn decide(&mut self, start: usize, bytes: &[u8]) {
        for (&at, weak) in self.weak.range_mut(start as u32..(start + bytes.len()) as u32) {
            weak.bits &= bytes[at as usize - start];
        }
        self.weak.retain(|_, weak| weak.bits != 0);
    }

    /// One changed bit in eight stays undecided, a single one, or all together.
    fn weaken(&mut self, start: usize, changed: &[u8], cut: Option<CutKind>) {
        match cut {
            Some(CutKind::Weak { seed }) => {
                let mut random = Random::new(seed);
                for (index, &bits) in changed.iter().enumerate() {
                    let undecided = bits & random.next_u8() & random.next_u8() & random.next_u8();
                    self.leave_weak(start + index, undecided, None);
                }
            }
            Some(CutKind::Faint { seed }) => {
                let bits: Vec<usize> = (0..changed.len() * 8)
                    .filter(|bit| changed[bit / 8] >> (bit % 8) & 1 == 1)
                    .collect();
                if !bits.is_empty() {
                    let bit = bits[Random::new(seed).below(bits.len() as u64) as usize];
                    self.leave_weak(start + bit / 8, 1 << (bit % 8), None);
                }
            }
            Some(CutKind::Wavering { seed }) => {
                for (index, &bits) in changed.iter().enumerate() {
                    self.leave_weak(start + index, bits, Some(seed));
                }
            }
            _ => {}
        }
    }

    fn leave_weak(&mut self, at: usize, bits: u8, together: Option<u64>) {
        if bits != 0 {
            self.weak.insert(at as u32, Weak { bits, together });
        }
    }

    /// Turns one bit of the sector over.
    fn disturb(&mut self, start: usize, seed: u64) {
        let bit = Random::new(seed).below(SECTOR_BYTES as u64 * 8);
        let sector = start / SECTOR_BYTES * SECTOR_BYTES;
        self.flip_bit((sector as u64 + bit / 8) as u32, (bit % 8) as u8);
    }
}

impl<const UNIT: usize> ErrorType for SimFlash<UNIT> {
    type Error = SimError;
}

impl<const UNIT: usize> ReadNorFlash for SimFlash<UNIT> {
    const READ_SIZE: usize = UNIT;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.check(offset, bytes.len(), UNIT)?;
        self.look(offset, bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.size_bytes()
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
