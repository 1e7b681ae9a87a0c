//! One life as a plan: what is wished for, when power goes, what the network does.

use otaru_sim_flash::CutKind;

/// Shape of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// Slots of eight sectors, four sectors of records: a life of few operations.
    Small,
    /// The same with three sectors of records, the fewest there may be.
    ThreeSectors,
    /// Slots of eighteen sectors: an image is two chunks, and a download resumes.
    TwoChunks,
    /// Slots of 36 sectors: an image is two segments of a patch.
    Segments,
    /// The standard layout of 4 MiB.
    Standard,
}

/// What the chip writes at once: parts of a body become other writes on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Four bytes.
    Word,
    /// Sixteen bytes, as flash encryption asks for. Nothing is encrypted here.
    Block,
}

/// Which bootloader chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// ESP-IDF's, with rollback: one trial, and entries it erases and writes anew.
    EspIdf,
    /// One of ours: three trials, and marks it writes without an erase.
    Otaru,
}

/// What becomes of power at the end of its supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Gone for long: the clock in RTC memory is lost.
    Off,
    /// A brown-out: the processor starts as from power-on, RTC memory stays.
    Dip,
    /// Not gone at all: the watchdog resets the processor, which counts as a crash.
    Reset,
}

/// What a device may know of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It is known while the broker said it, until power is gone for long.
    Known,
    /// Nobody ever says it.
    Unknown,
    /// It is said wrong, by that many milliseconds.
    Off(i64),
}

/// Power goes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// After that many flash operations since the last outage, or since the life began.
    pub after: u64,
    /// What is left of the operation it hits.
    pub kind: CutKind,
    /// How power goes.
    pub supply: Supply,
}

impl Outage {
    /// Whether it leaves cells that change later, or changed one that nobody wrote.
    pub fn leaves_damage(&self) -> bool {
        use CutKind::{Disturb, Faint, Wavering, Weak};
        matches!(self.kind, Weak { .. } | Faint { .. } | Wavering { .. } | Disturb { .. })
    }
}

/// What the network does once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// A message is lost, and the session with it, twenty seconds later.
    Drop,
    /// A message comes twice.
    Duplicate,
    /// A message comes that much later, behind others.
    Delay {
        /// In ms.
        ms: u64,
    },
    /// The session ends instead.
    Disconnect,
    /// The server answers with this status.
    Status(u16),
    /// The body stops after that many bytes and says nothing more.
    Stall {
        /// Bytes that came.
        after: usize,
    },
    /// The connection is gone after that many bytes.
    Truncate {
        /// Bytes that came.
        after: usize,
    },
    /// A range was asked for, and the whole file comes as 200.
    Whole,
    /// A range was asked for, and another one comes.
    OtherRange,
    /// Bytes nobody signed come, with the right length in the head.
    OtherFile,
    /// The image with more bytes behind it, and no length in its head.
    Longer,
    /// An answer that says it is of another length.
    OtherLength,
    /// One byte of the body is another.
    Flip {
        /// Which one, modulo the body.
        at: usize,
    },
    /// The body comes in parts of a few bytes, five of them in a second.
    Trickle {
        /// Bytes a part.
        part: usize,
    },
    /// The body is said to be compressed.
    Encoded,
    /// The manifest is signed by a stranger.
    Forged,
    /// Another release's manifest.
    OtherManifest,
    /// In place of a patch, one that starts from another image.
    OtherBase,
    /// In place of a patch, one that makes another image.
    OtherTarget,
    /// In place of a patch, one that makes another image and says that it makes the right one.
    ForgedPatch,
}

impl Weather {
    /// Whether it is the link's fault, which the same patch may survive.
    pub fn is_of_links(self) -> bool {
        matches!(self, Weather::Stall { .. } | Weather::Truncate { .. } | Weather::Trickle { .. })
    }

    /// Whether it happens to a message of the broker, and not to a request.
    pub fn is_of_messages(self) -> bool {
        matches!(
            self,
            Weather::Drop | Weather::Duplicate | Weather::Delay { .. } | Weather::Disconnect
        )
    }
}

/// The network does something to the nth message, or to the nth request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gust {
    /// Which one, from 0.
    pub at: u32,
    /// What happens to it.
    pub what: Weather,
}

/// What somebody wants, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Number of the release.
    pub release: usize,
    /// Taken back that long after it was made, unless it ended before.
    pub withdrawn_after_ms: Option<u64>,
    /// How long desired still names the release after it ended.
    pub lingers_ms: u64,
}

/// Everything that happens to a device. The same life lives the same way every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Of everything random that is not in the plan.
    pub seed: u64,
    /// Shape of the chip.
    pub geometry: Geometry,
    /// What it writes at once.
    pub unit: Unit,
    /// Which bootloader chooses.
    pub loader: Loader,
    /// What the device may know of the time.
    pub clock: Clock,
    /// Whether the log buffer is kept on flash, too.
    pub keeps_logs: bool,
    /// Number of the release that left the factory.
    pub factory: usize,
    /// What is wished for.
    pub wishes: Vec<Wish>,
    /// When power goes.
    pub outages: Vec<Outage>,
    /// What the network does.
    pub gusts: Vec<Gust>,
    /// Whether the server offers patches.
    pub patches: bool,
    /// Bytes in one part of a body.
    pub part_bytes: usize,
    /// Whether its host takes parts as they come, and not as chunks end.
    pub takes_what_comes: bool,
    /// Bits that turn over while the device is off at its first outage, or else at the first power
    /// cycle at the end: offset, bit.
    pub flips: Vec<(u32, u8)>,
    /// Restarts without power between the last wish and the end.
    pub power_cycles: u32,
}

impl Life {
    /// Whether something may have changed cells that nobody wrote.
    pub fn has_damage(&self) -> bool {
        !self.flips.is_empty() || self.outages.iter().any(Outage::leaves_damage)
    }
}
