//! What the broker drops and refuses, said in the log.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::{Broker, Counts};

/// Logs what was dropped and refused since it was last looked, and nothing where nothing was, until
/// it is dropped. It looks now and then each time after so long.
pub async fn log_losses(broker: Broker, every: Duration) {
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Counts::default();
    loop {
        turns.tick().await;
        let now = broker.counts();
        log(&now.since(&before));
        before = now;
    }
}

fn log(since: &Counts) {
    let nothing = Counts { connections: since.connections, ..Counts::default() };
    if *since == nothing {
        return;
    }
    tracing::warn!(
        mqtt.connections = since.connections,
        mqtt.dropped_queue_full = since.dropped_queue_full,
        mqtt.dropped_session_ended = since.dropped_session_ended,
        mqtt.dropped_too_large = since.dropped_too_large,
        mqtt.dropped_expired = since.dropped_expired,
        mqtt.fell_behind = since.fell_behind,
        mqtt.refused_publishes = since.refused_publishes,
        mqtt.refused_subscriptions = since.refused_subscriptions,
        mqtt.slowed = since.slowed,
        mqtt.cut_off = since.cut_off,
        mqtt.put_off = since.put_off,
        "Messages were dropped, or clients were refused something"
    );
}
