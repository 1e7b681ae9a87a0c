//! The two image places of a device, and what can go wrong with them.

use core::fmt;

use crate::{FlashError, OtaDataError};

/// One of the two image places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Partition subtype `ota_0`.
    Ota0,
    /// Partition subtype `ota_1`.
    Ota1,
}

impl Slot {
    /// The slot that is not this one.
    pub const fn other(self) -> Slot {
        match self {
            Slot::Ota0 => Slot::Ota1,
            Slot::Ota1 => Slot::Ota0,
        }
    }

    /// 0 or 1, the bootloader's slot number.
    pub const fn index(self) -> usize {
        match self {
            Slot::Ota0 => 0,
            Slot::Ota1 => 1,
        }
    }

    /// The partition's usual label, which devices report.
    pub const fn name(self) -> &'static str {
        match self {
            Slot::Ota0 => "ota_0",
            Slot::Ota1 => "ota_1",
        }
    }

    /// The slot of that [`name`](Slot::name).
    pub fn from_name(name: &str) -> Option<Slot> {
        [Slot::Ota0, Slot::Ota1].into_iter().find(|slot| slot.name() == name)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Why a slot could not be written or checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// Flash failed.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// `otadata` could not be made ready for the write.
    #[error(transparent)]
    OtaData(#[from] OtaDataError),
    /// The running slot is never erased or written.
    #[error("slot {slot} is running and is never written")]
    SlotRunning {
        /// The slot that was asked for.
        slot: Slot,
    },
    /// The image is longer than the slot, or empty.
    #[error("image of {found} bytes does not fit a slot of {slot_bytes} bytes")]
    ImageSize {
        /// Image length in bytes.
        found: u32,
        /// Slot length in bytes.
        slot_bytes: u32,
    },
    /// A download resumes only at a sector boundary inside the image.
    #[error(
        "cannot resume at byte {found}: not a sector boundary of an image of {image_bytes} bytes"
    )]
    ResumePoint {
        /// The byte that was asked for.
        found: u32,
        /// Image length in bytes.
        image_bytes: u32,
    },
    /// The chunk list is not one digest per 64 KiB of the image.
    #[error("chunk list of {found} bytes, expected {expected}")]
    ChunkList {
        /// Length of the list in bytes.
        found: u32,
        /// Length the image asks for, in bytes.
        expected: u32,
    },
    /// The image has no chunk of that number.
    #[error("chunk {found} of {count}")]
    NoSuchChunk {
        /// The number that was asked for.
        found: u32,
        /// How many chunks the image has.
        count: u32,
    },
    /// More bytes than the image has.
    #[error("{found} bytes for an image of {image_bytes} bytes")]
    PastEnd {
        /// Where the bytes would end.
        found: u32,
        /// Image length in bytes.
        image_bytes: u32,
    },
    /// Bytes are missing at the end.
    #[error("{written} of {image_bytes} bytes written")]
    Incomplete {
        /// Bytes accepted so far.
        written: u32,
        /// Image length in bytes.
        image_bytes: u32,
    },
}
