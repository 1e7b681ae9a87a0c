//! What a power cut cannot take away from the agent.

use core::fmt;

use arrayvec::ArrayVec;
use otaru_wire::{Digest, Outcome, Reason, ReleaseVersion, UpdateId};

use crate::{BadImages, Deferral, Target, Tries};

mod codec;
pub(crate) use codec::{target_from_bytes, target_to_bytes};
#[cfg(test)]
mod tests;

/// The agent's persisted state. Its truth ranks below the running slot's hash and
/// the boot selector's records: [`reconcile`](crate::reconcile) never believes it over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The update under way; at most one.
    pub attempt: Option<Attempt>,
    /// How the last update ended; reported until the server has it, and on every read after.
    pub last: Option<Ended>,
    /// Whether desired still named [`Journal::last`]'s release when last seen: then it is not begun again.
    pub last_still_wished: bool,
    /// The image last confirmed here.
    pub confirmed: Option<Digest>,
    /// The image confirmed before that one.
    pub previous: Option<Digest>,
    /// Highest security counter of a confirmed image; only rises.
    pub security_floor: u32,
    /// Images that rolled back.
    pub bad_images: BadImages,
}

/// One update on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The release asked for.
    pub version: ReleaseVersion,
    /// Its image, where the server named it.
    pub wished_sha256: Option<Digest>,
    /// The server's id of the update; a wish of a foreign service has none.
    pub update: Option<UpdateId>,
    /// Number of this try, from 1; bytes done never fall within one number.
    pub number: u32,
    /// Tries that failed since the last new byte.
    pub tries: Tries,
    /// How far it is, as far as a power cut cares.
    pub stage: Stage,
    /// What the verified manifest said.
    pub target: Option<Target>,
    /// How often the trial boot was armed, or begun again by a bootloader that does not count.
    pub arms: u8,
    /// Why the new firmware decided to go back, written before it does.
    pub verdict: Option<Reason>,
    /// The product's wish to be asked later, or when the next try may be made.
    pub deferral: Option<Deferral>,
}

/// How far an attempt is, as far as a power cut cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Getting manifest and image. Everything up to here can be cancelled.
    Fetching = 1,
    /// The slot holds the whole image and the trial boot is, or is about to be, armed.
    Staged = 2,
    /// The new firmware ran far enough to write this.
    Trial = 3,
}

/// How an update ended, until another one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The server's id of the update.
    pub update: Option<UpdateId>,
    /// The release it was about.
    pub version: ReleaseVersion,
    /// Its image, where it was ever known.
    pub sha256: Option<Digest>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, unless it was confirmed.
    pub reason: Option<Reason>,
}

/// Bytes that are not a journal this build can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// A newer build wrote them, in this layout.
    Newer {
        /// The layout number found.
        layout: u8,
    },
    /// They are damaged.
    Unreadable,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Newer { layout } => {
                write!(f, "journal has layout {layout}, this build reads {}", Journal::LAYOUT)
            }
            JournalError::Unreadable => f.write_str("journal is damaged"),
        }
    }
}

impl core::error::Error for JournalError {}

impl JournalError {
    /// The reason number to report.
    pub const fn reason(self) -> Reason {
        match self {
            JournalError::Newer { .. } => Reason::StorageNewer,
            JournalError::Unreadable => Reason::StorageUnreadable,
        }
    }
}

impl Journal {
    /// The newest layout this build reads and writes; the layout is the first byte of the bytes.
    ///
    /// Layout 2 is layout 1 with a deferral behind it, and is written only while there is one:
    /// firmware of before it, which a trial may have to go back to, reads the rest.
    pub const LAYOUT: u8 = 2;

    /// The longest [`Journal::to_bytes`]: an attempt, an end and the bad images, each with the
    /// longest names.
    pub const BYTES_MAX: usize = codec::JOURNAL_BYTES_MAX;

    /// The journal as bytes, for a store that keeps them whole or not at all.
    pub fn to_bytes(&self) -> ArrayVec<u8, { Journal::BYTES_MAX }> {
        codec::write(self)
    }

    /// Reads [`Journal::to_bytes`] back. Empty bytes are a new device's journal.
    pub fn from_bytes(bytes: &[u8]) -> Result<Journal, JournalError> {
        match bytes.first() {
            None => Ok(Journal::default()),
            Some(&layout) if layout > Journal::LAYOUT => Err(JournalError::Newer { layout }),
            Some(&layout) => codec::read(layout, &bytes[1..]).ok_or(JournalError::Unreadable),
        }
    }
}

impl Attempt {
    /// The first try of a release.
    pub fn new(
        version: ReleaseVersion,
        sha256: Option<Digest>,
        update: Option<UpdateId>,
    ) -> Attempt {
        Attempt {
            version,
            wished_sha256: sha256,
            update,
            number: 1,
            tries: Tries::default(),
            stage: Stage::Fetching,
            target: None,
            arms: 0,
            verdict: None,
            deferral: None,
        }
    }

    /// The image, as well as it is known.
    pub fn sha256(&self) -> Option<Digest> {
        self.target.as_ref().map(|target| target.sha256).or(self.wished_sha256)
    }
}
