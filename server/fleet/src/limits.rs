use otaru_wire::Phase;
use serde::{Deserialize, Serialize};

/// How long an update may stay silent in each phase, in milliseconds; settable per product.
///
/// Every phase in which the device acts has one, so nothing is in progress for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// After the time the device said it would try again.
    pub waiting_ms: i64,
    /// From being told to starting.
    pub notified_ms: i64,
    /// Without a new byte.
    pub downloading_idle_ms: i64,
    /// For the whole download.
    pub downloading_ms: i64,
    /// Checking the image.
    pub verifying_ms: i64,
    /// Silent while restarting.
    pub restarting_ms: i64,
    /// Self-test of the new firmware.
    pub testing_ms: i64,
    /// A plain client, from being told to reporting the version: it reports nothing between.
    pub plain_ms: i64,
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            waiting_ms: HOUR,
            notified_ms: 5 * MINUTE,
            downloading_idle_ms: 10 * MINUTE,
            downloading_ms: 24 * HOUR,
            verifying_ms: 10 * MINUTE,
            restarting_ms: 10 * MINUTE,
            testing_ms: 15 * MINUTE,
            plain_ms: 24 * HOUR,
        }
    }
}

impl Limits {
    /// Whether every limit is at least a second and at most 30 days.
    pub fn is_sane(&self) -> bool {
        [
            self.waiting_ms,
            self.notified_ms,
            self.downloading_idle_ms,
            self.downloading_ms,
            self.verifying_ms,
            self.restarting_ms,
            self.testing_ms,
            self.plain_ms,
        ]
        .into_iter()
        .all(|limit| (1_000..=30 * 24 * HOUR).contains(&limit))
    }

    /// How long an agent may stay in `phase`; `None` where waiting is nobody's fault.
    pub(crate) fn of(&self, phase: Phase) -> Option<i64> {
        match phase {
            Phase::Offered | Phase::Deferred | Phase::Requested | Phase::Confirmed => None,
            Phase::Waiting => Some(self.waiting_ms),
            Phase::Notified => Some(self.notified_ms),
            Phase::Downloading => Some(self.downloading_ms),
            Phase::Verifying => Some(self.verifying_ms),
            Phase::Restarting => Some(self.restarting_ms),
            Phase::Testing => Some(self.testing_ms),
        }
    }
}
