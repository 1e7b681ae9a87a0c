//! How long a client may be silent, and its session wait for it.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rmqtt::codec::types::Publish;
use rmqtt::fitter::{DefaultFitter, Fitter, FitterManager};
use rmqtt::types::{ConnectInfo, Disconnect, FitterType, Id, ListenerConfig};

use crate::hub::Hub;

/// Settings of rmqtt's for each connection.
pub(crate) struct Fitters(Weak<Hub>);

impl Fitters {
    pub(crate) fn of(hub: &Arc<Hub>) -> Fitters {
        Fitters(Arc::downgrade(hub))
    }
}

impl FitterManager for Fitters {
    fn create(&self, connect: Arc<ConnectInfo>, id: Id, config: ListenerConfig) -> FitterType {
        let is_claim = self.0.upgrade().is_some_and(|hub| hub.admits_claim(&id));
        Arc::new(Fit { usual: DefaultFitter::new(connect, id, config), is_claim })
    }
}

/// rmqtt's own settings of one connection, but for two.
struct Fit {
    usual: DefaultFitter,
    is_claim: bool,
}

impl Fitter for Fit {
    /// One and a half times its keep-alive, as MQTT has it. rmqtt's own rule adds three seconds to
    /// a short one.
    fn keep_alive(&self, wanted_secs: &mut u16) -> rmqtt::Result<u16> {
        self.usual.keep_alive(wanted_secs)?;
        Ok(silence_secs(*wanted_secs))
    }

    /// Nobody may go on with the session of a claim, so none waits: with ever new client ids one
    /// certificate would fill the memory.
    fn session_expiry_interval(&self, disconnect: Option<&Disconnect>) -> Duration {
        if self.is_claim {
            return Duration::ZERO;
        }
        self.usual.session_expiry_interval(disconnect)
    }

    fn max_mqueue_len(&self) -> usize {
        self.usual.max_mqueue_len()
    }

    fn mqueue_rate_limit(&self) -> (NonZeroU32, Duration) {
        self.usual.mqueue_rate_limit()
    }

    fn max_inflight(&self) -> NonZeroU16 {
        self.usual.max_inflight()
    }

    fn message_expiry_interval(&self, publish: &Publish) -> Duration {
        self.usual.message_expiry_interval(publish)
    }

    fn max_client_topic_aliases(&self) -> u16 {
        self.usual.max_client_topic_aliases()
    }

    fn max_server_topic_aliases(&self) -> u16 {
        self.usual.max_server_topic_aliases()
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
