use core::fmt;

/// Why a patch makes no image. The answer is always the same: fetch the full image.
///
/// The numbers are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PatchError {
    /// The first bytes are not those of a patch.
    NotAPatch = 1,
    /// A format version, or a flag of it, from after this code.
    Format = 2,
    /// A codec this code does not know.
    Codec = 3,
    /// A dictionary larger than the memory set aside for it.
    Dictionary = 4,
    /// A length that no image has.
    Length = 5,
    /// It makes another image than the one wanted.
    OtherTarget = 6,
    /// It starts from another image than the one that runs.
    OtherBase = 7,
    /// The packed bytes cannot be unpacked.
    Damaged = 8,
    /// A number that is too long, or a record that makes nothing.
    Record = 9,
    /// A record reads outside the base.
    OutsideBase = 10,
    /// A record makes more than its segment has room for.
    TooLong = 11,
    /// A segment is full, and packed bytes are left.
    LeftOver = 12,
    /// A checkpoint that is not one of this patch.
    Checkpoint = 13,
    /// The base could not be read; the driver of the flash says why.
    BaseUnreadable = 14,
}

impl PatchError {
    /// Whether the same patch may work another time: not for its own faults.
    pub const fn is_retryable(self) -> bool {
        matches!(self, PatchError::BaseUnreadable)
    }
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PatchError::NotAPatch => "this is not a patch",
            PatchError::Format => "the patch is of an unknown format",
            PatchError::Codec => "the patch is packed by an unknown codec",
            PatchError::Dictionary => "the patch needs a larger dictionary",
            PatchError::Length => "the patch names a length that no image has",
            PatchError::OtherTarget => "the patch makes another image",
            PatchError::OtherBase => "the patch starts from another image",
            PatchError::Damaged => "the patch cannot be unpacked",
            PatchError::Record => "the patch has a record that makes no sense",
            PatchError::OutsideBase => "the patch reads outside its base",
            PatchError::TooLong => "the patch makes more than its segment",
            PatchError::LeftOver => "the patch has bytes left behind a segment",
            PatchError::Checkpoint => "the patch has no such segment",
            PatchError::BaseUnreadable => "the patch's base cannot be read",
        })
    }
}

impl core::error::Error for PatchError {}
