//! How long a client may be silent.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use rmqtt::codec::types::Publish;
use rmqtt::fitter::{DefaultFitter, Fitter, FitterManager};
use rmqtt::types::{ConnectInfo, Disconnect, FitterType, Id, ListenerConfig};

/// Gives every connection one and a half times its keep-alive, as MQTT has it. rmqtt's own rule
/// adds three seconds to a short one.
pub(crate) struct KeepAlive;

impl FitterManager for KeepAlive {
    fn create(&self, connect: Arc<ConnectInfo>, id: Id, config: ListenerConfig) -> FitterType {
        Arc::new(Fit(DefaultFitter::new(connect, id, config)))
    }
}

/// rmqtt's own settings of one connection, but for the keep-alive.
struct Fit(DefaultFitter);

impl Fitter for Fit {
    fn keep_alive(&self, wanted_secs: &mut u16) -> rmqtt::Result<u16> {
        self.0.keep_alive(wanted_secs)?;
        Ok(silence_secs(*wanted_secs))
    }

    fn max_mqueue_len(&self) -> usize {
        self.0.max_mqueue_len()
    }

    fn mqueue_rate_limit(&self) -> (NonZeroU32, Duration) {
        self.0.mqueue_rate_limit()
    }

    fn max_inflight(&self) -> NonZeroU16 {
        self.0.max_inflight()
    }

    fn session_expiry_interval(&self, disconnect: Option<&Disconnect>) -> Duration {
        self.0.session_expiry_interval(disconnect)
    }

    fn message_expiry_interval(&self, publish: &Publish) -> Duration {
        self.0.message_expiry_interval(publish)
    }

    fn max_client_topic_aliases(&self) -> u16 {
        self.0.max_client_topic_aliases()
    }

    fn max_server_topic_aliases(&self) -> u16 {
        self.0.max_server_topic_aliases()
    }
}

/// Half as much again, in whole seconds, never less; zero stays "for ever".
fn silence_secs(keep_alive_secs: u16) -> u16 {
    keep_alive_secs.saturating_add(keep_alive_secs.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_may_last_one_and_a_half_keep_alives() {
        let silences = [0, 1, 2, 4, 5, 6, 60, u16::MAX].map(silence_secs);
        assert_eq!(silences, [0, 2, 3, 6, 8, 9, 90, u16::MAX]);
    }
}
