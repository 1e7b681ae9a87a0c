//! State that cannot be read or written for a while: a file system that turned read-only, a disk
//! that is full.

use std::time::Duration;

use super::GatewayError;
use crate::causes::with_causes;
use crate::{SimError, SlotsError};

/// An agent that ran for so long had good state: the next outage is another one.
const IS_GOOD_AFTER: Duration = Duration::from_secs(3_600);

/// How long state has been no good.
#[derive(Debug, Default)]
pub(super) struct Outage {
    tries: u32,
}

/// Whether the product can go on: what failed is where the agent keeps its state.
pub(super) fn is_of_state(error: &GatewayError) -> bool {
    matches!(
        error,
        GatewayError::Slots(SlotsError::State { .. } | SlotsError::Records(_))
            | GatewayError::Device(
                SimError::File { .. }
                    | SimError::Flash(_)
                    | SimError::FlashFile(_)
                    | SimError::Storage(_)
            )
    )
}

impl Outage {
    pub(super) fn log(&self, error: &GatewayError) {
        let error = with_causes(error);
        tracing::error!(error, "The state is no good: the product runs on, and nothing is updated");
    }

    /// How long it lasts at least, doubled each time.
    pub(super) fn next_wait(&mut self, base: Duration, cap: Duration) -> Duration {
        let wait = base.saturating_mul(1 << self.tries.min(16)).min(cap);
        self.tries += 1;
        wait
    }

    /// The agent ran so long since.
    pub(super) fn is_behind(&mut self, ran: Duration) {
        if ran >= IS_GOOD_AFTER {
            self.tries = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_the_state_was_good_for_long() {
        let (base, cap) = (Duration::from_secs(30), Duration::from_secs(100));
        let mut outage = Outage::default();
        let mut waits = |ran_s| {
            outage.is_behind(Duration::from_secs(ran_s));
            outage.next_wait(base, cap).as_secs()
        };
        assert_eq!([0, 60, 60, 3_600, 0].map(&mut waits), [30, 60, 100, 30, 60]);
    }
}
