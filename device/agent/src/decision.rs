//! What the product says when it is asked whether an update may go on.

use otaru_wire::{Reason, ReleaseVersion};

/// What the question comes before. There are two moments, because a download may run at any
/// time while the restart is what disturbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Before {
    /// Fetching the image, resumed fetching included.
    Download = 1,
    /// Restarting into the new firmware. The other slot holds it whole and checked.
    Restart = 2,
}

/// What the product is asked. Its manifest was verified and fits this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What would come next.
    pub before: Before,
    /// The release.
    pub version: ReleaseVersion,
    /// Length of its image.
    pub size_bytes: u64,
}

/// The product's answer. None of them is a failure of the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Now,
    /// Ask again later. Costs no try; the wait survives a restart.
    Later {
        /// For how long, at most [`AgentConfig::defer_max_ms`](crate::AgentConfig::defer_max_ms).
        wait_ms: u64,
        /// Why, for the owner to read.
        hold: Hold,
    },
    /// Not this one: the update ends as cancelled.
    Refuse,
}

/// Why a product puts an update off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Somebody, or something, said not now.
    NotNow,
    /// The battery is too low for it.
    LowBattery,
    /// The device is at work.
    Busy,
}

impl Hold {
    /// The reason that is reported.
    pub const fn reason(self) -> Reason {
        match self {
            Hold::NotNow => Reason::DeferredOnDevice,
            Hold::LowBattery => Reason::LowBattery,
            Hold::Busy => Reason::DeviceBusy,
        }
    }
}

/// A question or a try put off, as the journal keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deferral {
    /// What the question comes before; the download for a try.
    pub before: Before,
    /// How long it was still to wait when this was written. Counts while the device runs, so
    /// that no clock is needed and no restart makes it shorter. 0 says that what was put off has
    /// begun: a wait that is over and has no link leaves 1.
    pub left_ms: u64,
    /// When it is over by the clock, in ms since the epoch, where one was known.
    pub until_ms: Option<i64>,
    /// Why.
    pub reason: Reason,
}
