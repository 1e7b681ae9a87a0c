//! Why a patch was given up for the full image.

use core::fmt;

use alloc::format;
use alloc::string::String;

use otaru_agent::LogLine;
use otaru_release::patch::PatchError;
use otaru_wire::payload::LogLevel;
use otaru_wire::{Reason, ReleaseVersion};

/// A line for the device's log that outlives whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLine {
    /// How bad it is.
    pub level: LogLevel,
    /// Short stable word.
    pub code: Option<&'static str>,
    /// What happened, readable alone.
    pub message: String,
    /// The reason number behind it.
    pub reason: Option<Reason>,
}

impl KeptLine {
    /// Hands the line over.
    pub fn tell<T>(&self, hear: impl FnOnce(LogLine<'_>) -> T) -> T {
        let KeptLine { level, code, reason, .. } = *self;
        hear(LogLine { level, code, message: &[&self.message], reason })
    }
}

/// Why the full image is fetched although there was a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchRefusal {
    /// It is none, or none for this device.
    Patch(PatchError),
    /// What it made is not what was signed.
    Made(Reason),
    /// The server's answer is not the patch, or not the one that was begun.
    Answer(Reason),
}

impl PatchRefusal {
    /// The number of `docs/patches.md`, if it has one.
    pub fn number(self) -> Option<u8> {
        match self {
            PatchRefusal::Patch(error) => Some(error as u8),
            PatchRefusal::Made(_) | PatchRefusal::Answer(_) => None,
        }
    }

    /// The line for the device's log.
    pub fn line(self, version: &ReleaseVersion) -> KeptLine {
        let reason = match self {
            PatchRefusal::Patch(_) => None,
            PatchRefusal::Made(reason) | PatchRefusal::Answer(reason) => Some(reason),
        };
        let message = format!("update to {version} goes on with the full image: {self}");
        KeptLine { level: LogLevel::Warn, code: Some("OTA_PATCH_REFUSED"), message, reason }
    }
}

impl From<PatchError> for PatchRefusal {
    fn from(error: PatchError) -> PatchRefusal {
        PatchRefusal::Patch(error)
    }
}

impl fmt::Display for PatchRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatchRefusal::Patch(error) => write!(f, "{error} ({})", *error as u8),
            PatchRefusal::Made(reason) => write!(f, "the patch made other bytes ({reason})"),
            PatchRefusal::Answer(reason) => write!(f, "the patch did not come ({reason})"),
        }
    }
}
