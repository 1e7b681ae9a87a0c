//! The record stream: where each byte of the new image comes from.
//!
//! A record is a length, so many bytes to add to the base's, a length, so many
//! bytes that are new, and how far to move in the base. This reads it a byte at
//! a time and keeps within the base and the segment.

use super::PatchError;

/// The most bytes that a number of a record has: 27 bits.
pub const MAX_NUMBER_BYTES: usize = 4;

/// What a byte of the record stream was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Part of a number: nothing to write.
    Number,
    /// A difference to the base's byte at this position.
    Diff { at: u32 },
    /// A byte of the new image as it is.
    Extra,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    DiffLength,
    Diff,
    ExtraLength,
    Extra,
    Move,
}

/// Reads the records of one segment.
#[derive(Debug)]
pub(super) struct Records {
    field: Field,
    number: Number,
    /// Bytes left of the diff or the extra.
    left: u32,
    /// Whether this record made a byte yet.
    made: bool,
    at: u32,
    base_bytes: u32,
    segment_left: u32,
}

impl Records {
    /// Records of nothing.
    pub(super) const NONE: Records = Records {
        field: Field::DiffLength,
        number: Number { bytes: 0, is_negative: false, value: 0 },
        left: 0,
        made: false,
        at: 0,
        base_bytes: 0,
        segment_left: 0,
    };

    /// Records that make `segment_bytes` and start at `at` in the base.
    pub(super) fn new(at: u32, base_bytes: u32, segment_bytes: u32) -> Result<Records, PatchError> {
        if at > base_bytes {
            return Err(PatchError::OutsideBase);
        }
        Ok(Records { at, base_bytes, segment_left: segment_bytes, ..Records::NONE })
    }

    /// Whether the segment is whole: the last record ends there.
    pub(super) fn is_done(&self) -> bool {
        self.segment_left == 0
    }

    /// Takes the next byte; not to be called when done.
    pub(super) fn take(&mut self, byte: u8) -> Result<Step, PatchError> {
        match self.field {
            Field::Diff => {
                let at = self.at;
                self.at += 1;
                self.made_one(Field::ExtraLength);
                return Ok(Step::Diff { at });
            }
            Field::Extra => {
                self.made_one(Field::Move);
                return Ok(Step::Extra);
            }
            Field::DiffLength | Field::ExtraLength | Field::Move => {}
        }
        if let Some(number) = self.number.take(byte)? {
            self.number = Number::default();
            self.follow(number)?;
        }
        Ok(Step::Number)
    }

    fn made_one(&mut self, next: Field) {
        self.made = true;
        self.left -= 1;
        self.segment_left -= 1;
        if self.left == 0 {
            self.field = next;
        }
    }

    /// Does what a number says: begins a run of bytes, or moves.
    fn follow(&mut self, number: i32) -> Result<(), PatchError> {
        if self.field == Field::Move {
            // A record that makes nothing could be repeated for ever.
            if !self.made {
                return Err(PatchError::Record);
            }
            let moved = self.at.checked_add_signed(number);
            self.at = moved.filter(|&at| at <= self.base_bytes).ok_or(PatchError::OutsideBase)?;
            self.made = false;
            self.field = Field::DiffLength;
            return Ok(());
        }
        let length = u32::try_from(number).map_err(|_| PatchError::Record)?;
        if length > self.segment_left {
            return Err(PatchError::TooLong);
        }
        let is_diff = self.field == Field::DiffLength;
        if is_diff && length > self.base_bytes - self.at {
            return Err(PatchError::OutsideBase);
        }
        self.left = length;
        self.field = match (is_diff, length) {
            (true, 0) => Field::ExtraLength,
            (true, _) => Field::Diff,
            (false, 0) => Field::Move,
            (false, _) => Field::Extra,
        };
        Ok(())
    }
}

/// A number under way: a sign and six bits, then seven bits a byte, lowest first.
#[derive(Debug, Default)]
struct Number {
    bytes: usize,
    is_negative: bool,
    value: i32,
}

impl Number {
    /// Takes a byte; the number, when this was its last.
    fn take(&mut self, byte: u8) -> Result<Option<i32>, PatchError> {
        if self.bytes == MAX_NUMBER_BYTES {
            return Err(PatchError::Record);
        }
        if self.bytes == 0 {
            self.is_negative = byte & 0x40 != 0;
            self.value = i32::from(byte & 0x3F);
        } else {
            self.value |= i32::from(byte & 0x7F) << (7 * self.bytes - 1);
        }
        self.bytes += 1;
        let is_last = byte & 0x80 == 0;
        Ok(is_last.then_some(if self.is_negative { -self.value } else { self.value }))
    }
}
