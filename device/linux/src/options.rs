use std::path::PathBuf;
use std::time::Duration;

use otaru_agent::DailyWindow;

use crate::{Faults, Hook, RenewalOptions, SimClock, SimView};

/// The largest slot that fits twice into 4 MiB: what a product has unless it says otherwise.
const SLOT_BYTES: u32 = 0x1F_0000;

/// How a simulated device runs.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Folder with `cert.pem`, `key.pem`, `ca.pem`, `root.pub` and `device.toml`.
    pub dir: PathBuf,
    /// The flash, a file; made from [`SimOptions::image`] when there is none yet.
    pub flash: PathBuf,
    /// Image in the first slot of a new flash file.
    pub image: Option<PathBuf>,
    /// Size of a new flash file.
    pub flash_bytes: u32,
    /// Size of each of its two slots.
    pub slot_bytes: u32,
    /// Revision of the chip, major × 100 + minor; `None` is a device that cannot tell.
    pub chip_revision: Option<u16>,
    /// What the device's clock shows.
    pub clock: SimClock,
    /// How long the self-test of new firmware takes.
    pub self_test: Duration,
    /// How long hung firmware hangs before the watchdog resets it.
    pub watchdog: Duration,
    /// Whether updates come as patches where the server has them.
    pub patches: bool,
    /// Speed of the download link, in kilobits a second; `None` is no limit.
    pub link_kbps: Option<u32>,
    /// What goes wrong by chance.
    pub faults: Faults,
    /// Shows what the device does.
    pub view: SimView,
    /// Upper bound of the first delay before another try.
    pub retry_base: Duration,
    /// Upper bound of every delay before another try.
    pub retry_cap: Duration,
    /// How long a connection may be silent before it counts as stalled.
    pub stall_limit: Duration,
    /// How long a connection may bring less than 256 bytes a second before it counts as stalled.
    pub rate_window: Duration,
    /// How long a root document or a manifest may take in all.
    pub document_limit: Duration,
    /// How long new firmware looks for the broker before it goes back.
    pub broker_limit: Duration,
    /// How long after looking at root and timestamp it looks again.
    pub trust_interval: Duration,
    /// Within how long after a session began it looks for the first time.
    pub trust_spread: Duration,
    /// How long an answer of the shadow service is waited for.
    pub answer_limit: Duration,
    /// When new firmware may be started, by local time; `None` is always.
    pub restart_window: Option<DailyWindow>,
    /// The product's word on when an update may go on; `None` is always now.
    pub hook: Option<Hook>,
    /// How its certificate is renewed; `None` is never.
    pub renewal: Option<RenewalOptions>,
}

impl SimOptions {
    /// A device of 4 MiB, with delays short enough to watch.
    pub fn new(dir: impl Into<PathBuf>, flash: impl Into<PathBuf>) -> SimOptions {
        SimOptions {
            dir: dir.into(),
            flash: flash.into(),
            image: None,
            flash_bytes: 0x40_0000,
            slot_bytes: SLOT_BYTES,
            chip_revision: None,
            clock: SimClock::Host,
            self_test: Duration::from_secs(1),
            watchdog: Duration::from_secs(5),
            patches: true,
            link_kbps: None,
            faults: Faults::default(),
            view: SimView::default(),
            retry_base: Duration::from_secs(1),
            retry_cap: Duration::from_secs(60),
            stall_limit: Duration::from_secs(30),
            rate_window: Duration::from_secs(60),
            // A document is small: one that takes longer comes from a server that only
            // keeps us busy.
            document_limit: Duration::from_secs(300),
            broker_limit: Duration::from_secs(600),
            trust_interval: Duration::from_secs(86_400),
            trust_spread: Duration::from_secs(5),
            answer_limit: Duration::from_secs(10),
            restart_window: None,
            hook: None,
            renewal: None,
        }
    }
}
