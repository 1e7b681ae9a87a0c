//! A bounded first-in-first-out buffer in a range of [`Records`] keys.

use core::ops::Range;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use crate::{Records, StorageError};

/// Keeps the youngest values, one per key, over restarts: the log buffer.
///
/// The keys of the range belong to the ring alone.
#[derive(Debug)]
pub struct Ring {
    keys: Range<u8>,
    /// Position of the oldest value in the range.
    oldest: u8,
    count: u8,
}

impl Ring {
    /// Finds the values of the range in the order they were pushed.
    ///
    /// Errors: [`StorageError::KeyOutOfRange`] for an empty range or one past
    /// the last key.
    pub fn open<F: ReadNorFlash>(
        records: &Records,
        flash: &mut F,
        keys: Range<u8>,
    ) -> Result<Ring, StorageError> {
        if keys.is_empty() {
            return Err(StorageError::KeyOutOfRange { found: keys.end });
        }
        let capacity = keys.end - keys.start;
        let mut oldest = None;
        let mut youngest = None;
        for position in 0..capacity {
            let Some(sequence) = records.sequence(flash, keys.start + position)? else { continue };
            if oldest.is_none_or(|(_, lowest)| sequence < lowest) {
                oldest = Some((position, sequence));
            }
            if youngest.is_none_or(|(_, highest)| sequence > highest) {
                youngest = Some((position, sequence));
            }
        }
        let (Some((oldest, _)), Some((youngest, _))) = (oldest, youngest) else {
            return Ok(Ring { keys, oldest: 0, count: 0 });
        };
        // A value lost in between leaves a gap, which counts.
        let count = if youngest >= oldest {
            youngest - oldest + 1
        } else {
            capacity - (oldest - youngest) + 1
        };
        Ok(Ring { keys, oldest, count })
    }

    /// How many values there are.
    pub fn len(&self) -> u8 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends a value; `true` when the oldest had to go for it.
    pub fn push<F: NorFlash>(
        &mut self,
        records: &mut Records,
        flash: &mut F,
        value: &[u8],
    ) -> Result<bool, StorageError> {
        let full = self.count == self.capacity();
        // In a full ring the place behind the youngest is the oldest's.
        records.put_again(flash, self.key(self.count), value)?;
        if full {
            self.oldest = self.place(self.oldest, 1);
        } else {
            self.count += 1;
        }
        Ok(full)
    }

    /// Reads the `nth` oldest value, from 0; `None` past the youngest.
    pub fn get<'b, F: ReadNorFlash>(
        &self,
        records: &Records,
        flash: &mut F,
        nth: u8,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StorageError> {
        if nth >= self.count {
            return Ok(None);
        }
        records.get(flash, self.key(nth), buffer)
    }

    /// Removes the oldest value, if there is one.
    pub fn pop<F: NorFlash>(
        &mut self,
        records: &mut Records,
        flash: &mut F,
    ) -> Result<(), StorageError> {
        if self.count > 0 {
            records.remove(flash, self.key(0))?;
            self.oldest = self.place(self.oldest, 1);
            self.count -= 1;
        }
        Ok(())
    }

    fn capacity(&self) -> u8 {
        self.keys.end - self.keys.start
    }

    fn key(&self, nth: u8) -> u8 {
        self.keys.start + self.place(self.oldest, nth)
    }

    /// So many places on, around the ring.
    fn place(&self, place: u8, on: u8) -> u8 {
        let sum = u16::from(place) + u16::from(on);
        sum.checked_rem(self.capacity().into()).unwrap_or_default() as u8
    }
}
