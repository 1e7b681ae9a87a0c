//! Appending records.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::compact::Purpose;
use super::format::{RecordHeader, RecordKind, UNIT};
use super::{MAX_VALUE_BYTES, NOWHERE, Records, StorageError, checked};
use crate::FlashError;
use crate::crc::ValueCheck;
use crate::flash::{self, Region, UNIT_BYTES};

/// How often a record that does not read back is written again, elsewhere.
const WRITE_ATTEMPTS: u32 = 3;

impl Records {
    /// Gives `key` a value. Atomic and read back; the same value again writes nothing, but for what
    /// the first change after opening does.
    ///
    /// Errors: [`StorageError::Full`] and the argument errors change no value;
    /// after a flash error the key has its old value, or the new one if only
    /// reading it back failed.
    pub fn put<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        value: &[u8],
    ) -> Result<(), StorageError> {
        let key = checked(key)?;
        self.void_torn(flash)?;
        if self.is_certain(key) && self.has(flash, key, value)? {
            return Ok(());
        }
        self.put_again(flash, key, value)
    }

    /// Takes a key's value away. Atomic; does nothing when there is none.
    pub fn remove<F: NorFlash>(&mut self, flash: &mut F, key: u8) -> Result<(), StorageError> {
        self.remove_any(flash, checked(key)?)
    }

    /// [`put`](Records::put) that writes even the same value, to make it the youngest.
    pub(crate) fn put_again<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        value: &[u8],
    ) -> Result<(), StorageError> {
        let key = checked(key)?;
        if value.len() > MAX_VALUE_BYTES {
            return Err(StorageError::ValueTooLong { found: value.len() });
        }
        let footprint = RecordHeader::footprint(value.len());
        self.settle(flash, key)?;
        let before = self.footprint_of(flash, key)?;
        if self.live_bytes.saturating_sub(before) + footprint > self.capacity_bytes() {
            return Err(StorageError::Full);
        }
        let purpose = if footprint > before { Purpose::Growth } else { Purpose::Replacement };
        self.make_room(flash, footprint, purpose)?;
        let location = self.append(flash, RecordKind::Value, key, value)?;
        self.unsettled = None;
        self.point(flash, key, location)
    }

    pub(super) fn remove_any<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
    ) -> Result<(), StorageError> {
        self.void_torn(flash)?;
        if self.is_certain(key) && self.location_of(key.into()) == NOWHERE {
            return Ok(());
        }
        self.settle(flash, key)?;
        self.make_room(flash, RecordHeader::footprint(0), Purpose::Replacement)?;
        self.append(flash, RecordKind::Removed, key, &[])?;
        self.unsettled = None;
        self.point(flash, key, NOWHERE)
    }

    /// Whether the key will read at the next power-on as it does now.
    fn is_certain(&self, key: u8) -> bool {
        self.unsettled != Some(key)
    }

    /// Makes `location` the key's current record.
    fn point<F: ReadNorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        location: u16,
    ) -> Result<(), StorageError> {
        self.set_location(key.into(), location);
        self.live_bytes = self.count_live_bytes(flash)?;
        Ok(())
    }

    /// Flash the key's record takes; 0 when it has none, or one that rotted
    /// since it was indexed, which can then be replaced like any other.
    fn footprint_of<F: ReadNorFlash>(&self, flash: &mut F, key: u8) -> Result<u32, StorageError> {
        let location = self.location_of(key.into());
        if location == NOWHERE {
            return Ok(0);
        }
        let header = RecordHeader::read(flash, self.offset_of(location))?;
        Ok(header.map_or(0, |header| header.footprint_bytes()))
    }

    /// Writes one record to the head, which has room for it, and answers where.
    pub(super) fn append<F: NorFlash>(
        &mut self,
        flash: &mut F,
        kind: RecordKind,
        key: u8,
        value: &[u8],
    ) -> Result<u16, StorageError> {
        let footprint = RecordHeader::footprint(value.len());
        let mut attempt = 1;
        loop {
            let header = RecordHeader {
                kind,
                sequence: self.next_sequence,
                sector_sequence: self.head_sequence,
                key,
                len_bytes: value.len() as u16,
                check: ValueCheck::of(value),
            };
            // Whatever happens, this place and this sequence are used up.
            let (sector, at) = (self.head, self.write_at);
            self.write_at += footprint;
            self.next_sequence += 1;
            match write_record(flash, self.sector_offset(sector) + at, header, value) {
                Ok(()) => {
                    self.is_proven = true;
                    return Ok(Records::location(sector, at));
                }
                Err(error) => {
                    // It may be there nevertheless, at the next power-on.
                    if !self.void(flash, self.sector_offset(sector) + at) {
                        self.unsettled = Some(key);
                    }
                    if !matches!(error, FlashError::ReadBack { .. }) || attempt == WRITE_ATTEMPTS {
                        return Err(error.into());
                    }
                    attempt += 1;
                    self.make_room(flash, footprint, Purpose::Replacement)?;
                }
            }
        }
    }

    fn has<F: ReadNorFlash>(
        &self,
        flash: &mut F,
        key: u8,
        value: &[u8],
    ) -> Result<bool, StorageError> {
        let location = self.location_of(key.into());
        if location == NOWHERE {
            return Ok(false);
        }
        let offset = self.offset_of(location);
        match RecordHeader::read(flash, offset)? {
            Some(header) if usize::from(header.len_bytes) == value.len() => {}
            _ => return Ok(false),
        }
        let offset = offset + UNIT;
        let mut rest = value;
        let mut same = true;
        flash::stream(flash, Region::new(offset, value.len() as u32), &mut |found| {
            let (expected, after) = rest.split_at_checked(found.len()).unwrap_or_default();
            same &= found == expected;
            rest = after;
        })?;
        Ok(same)
    }
}

/// Header first: once it is whole, its length says where the next record is,
/// even if power goes before the value is.
pub(super) fn write_record<F: NorFlash>(
    flash: &mut F,
    offset: u32,
    header: RecordHeader,
    value: &[u8],
) -> Result<(), FlashError> {
    flash::write_checked(flash, offset, &header.to_bytes())?;
    let offset = offset + UNIT;
    let (units, rest) = value.as_chunks::<UNIT_BYTES>();
    let whole = units.as_flattened();
    if !whole.is_empty() {
        flash::write_checked(flash, offset, whole)?;
    }
    if !rest.is_empty() {
        let mut unit = [0xFF; UNIT_BYTES];
        unit[..rest.len()].copy_from_slice(rest);
        flash::write_checked(flash, offset + whole.len() as u32, &unit)?;
    }
    Ok(())
}
