//! Why slots and state cannot be used, for the technician who has to repair it.

use std::io;
use std::path::PathBuf;

use super::SLOT_UNIT;
use crate::SimError;

/// Why a gateway's slots and state cannot be used: the key, what was found, what was expected and
/// what to do.
#[derive(Debug, thiserror::Error)]
pub enum SlotsError {
    /// There is no state yet, and no image to make it with.
    #[error(
        "slots.first_image: found nothing, expected the image that this gateway begins with, \
         because {} holds no state yet: name its file", state.display()
    )]
    NoFirstImage {
        /// The folder.
        state: PathBuf,
    },
    /// The first image cannot be read.
    #[error(
        "slots.first_image: could not read {}, expected the file of the image that this gateway \
         begins with: copy it there, or name another one", path.display()
    )]
    FirstImage {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The first image is longer than a slot.
    #[error(
        "slots.first_image: {} has {size_bytes} bytes, expected at most the {slot_bytes} of a \
         slot: raise slots.max_mib, or take longer partitions", path.display()
    )]
    ImageTooLarge {
        /// Which file.
        path: PathBuf,
        /// Its length.
        size_bytes: u64,
        /// Length of a slot.
        slot_bytes: u32,
    },
    /// A partition cannot be opened.
    #[error(
        "slots.partitions: could not open {}, expected a block device or a file of fixed length: \
         make it, and let this service read and write it", path.display()
    )]
    Partition {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A partition is mounted, or another program's alone.
    #[error(
        "slots.partitions: {} is mounted or in use, expected one that nobody else has at the \
         first start: unmount it, or name another one", path.display()
    )]
    PartitionInUse {
        /// Which one.
        path: PathBuf,
    },
    /// A partition holds what may be needed.
    #[error(
        "slots.partitions: {} holds {found}, expected one that is erased or holds \
         slots.first_image, because {} holds no state yet: name another one, or say \
         `overwrite = true` in [slots] where nothing of it is needed",
        path.display(), state.display()
    )]
    PartitionHolds {
        /// Which one.
        path: PathBuf,
        /// The folder of the state.
        state: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A partition is too short for any image.
    #[error(
        "slots.partitions: {} has {size_bytes} bytes, expected at least {SLOT_UNIT}: take one \
         that is longer than the longest image", path.display()
    )]
    ShortPartition {
        /// Which one.
        path: PathBuf,
        /// Its length.
        size_bytes: u64,
    },
    /// Both partitions are one.
    #[error(
        "slots.partitions: {} and {} are one and the same, expected two: an update would \
         overwrite what runs; name another one", paths[0].display(), paths[1].display()
    )]
    SamePartition {
        /// As they are configured.
        paths: [PathBuf; 2],
    },
    /// Somebody else has the records.
    #[error(
        "state: {} is in use, expected one otaru-device for a state folder: end the other one, or \
         give this one a folder of its own in `state`", path.display()
    )]
    InUse {
        /// The file of records.
        path: PathBuf,
    },
    /// Something in the state folder cannot be used.
    #[error(
        "state: could not use {}, expected what this service may read and write: see to its \
         owner, its rights and the room on the disk", path.display()
    )]
    State {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The records, or the slots, cannot be read or written.
    #[error("state: could not write its records: see to the disk it is on")]
    Records(#[from] SimError),
}
