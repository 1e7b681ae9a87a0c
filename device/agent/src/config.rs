use otaru_wire::{Namespace, ThingName};

use crate::DailyWindow;

/// What the agent is told once, at power-on.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The device's name: its MQTT client id and the key of its shadow.
    pub thing: ThingName,
    /// First level of the log and progress topics.
    pub namespace: Namespace,
    /// Upper bound of the first delay before another try.
    pub retry_base_ms: u64,
    /// No delay before another try is longer. After all that an outage has it is four times as
    /// long: a day, where this is six hours.
    pub retry_cap_ms: u64,
    /// How long an answer from the shadow service is waited for.
    pub answer_limit_ms: u64,
    /// How long a try may go without a sign of bytes in flash, its manifest included, before it is
    /// given up. A host has shorter limits for its links; this one is for what passes them all.
    pub stall_limit_ms: u64,
    /// At most one progress message in this time, transitions aside.
    pub progress_interval_ms: u64,
    /// Whether the product decides about download and restart: [`Effect::AskProduct`](crate::Effect::AskProduct).
    pub asks_product: bool,
    /// Whether the product shows what is offered and lets somebody decide: [`Effect::ShowOffer`](crate::Effect::ShowOffer).
    pub shows_offers: bool,
    /// When new firmware may be started, where that is not always. Without a clock it is not kept:
    /// an update that waits for ever is worse.
    pub restart_window: Option<DailyWindow>,
    /// How long the product's answer is waited for; none counts as later.
    pub decision_limit_ms: u64,
    /// The longest wait between two questions about one update; none is shorter than
    /// [`AgentConfig::retry_base_ms`].
    pub defer_max_ms: u64,
    /// How long nothing is asked after [`Effect::CheckTrust`](crate::Effect::CheckTrust).
    pub trust_interval_ms: u64,
    /// Within how long after a session began it is asked for the first time.
    pub trust_spread_ms: u64,
    /// How long new firmware may test itself before it goes back.
    pub self_test_limit_ms: u64,
    /// How long new firmware may look for the broker before [`AgentConfig::without_broker`] applies.
    pub broker_limit_ms: u64,
    /// What new firmware does when it never reached the broker.
    pub without_broker: WithoutBroker,
    /// Most bytes [`Effect::SaveSettings`](crate::Effect::SaveSettings) may hold; never more than
    /// half the agent's room for settings.
    pub settings_bytes_max: usize,
}

/// What new firmware does when it could not reach the broker in time.
///
/// The broker answered shortly before the restart, or there would have been no
/// update; so silence afterwards speaks against the new firmware first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutBroker {
    /// Go back to the old firmware.
    RollBack,
    /// Let the product's own self-test decide.
    Keep,
}

impl AgentConfig {
    /// The defaults for a device named `thing`.
    pub fn new(thing: ThingName, namespace: Namespace) -> AgentConfig {
        AgentConfig {
            thing,
            namespace,
            retry_base_ms: 30_000,
            retry_cap_ms: 6 * 3_600_000,
            answer_limit_ms: 10_000,
            stall_limit_ms: 3_600_000,
            progress_interval_ms: 1_000,
            asks_product: false,
            shows_offers: false,
            restart_window: None,
            // Below the server's five minutes for `notified`.
            decision_limit_ms: 60_000,
            // No longer than the server lets a device wait.
            defer_max_ms: 7 * 86_400_000,
            trust_interval_ms: 86_400_000,
            trust_spread_ms: 600_000,
            self_test_limit_ms: 120_000,
            // Below the server's 15 minutes for `testing`, so that the device
            // says what happened before the server calls it silent.
            broker_limit_ms: 600_000,
            without_broker: WithoutBroker::RollBack,
            // One record of the device's storage.
            settings_bytes_max: 4000,
        }
    }

    /// The wait after which the tries of an outage begin anew.
    pub(crate) fn rest_ms(&self) -> u64 {
        self.retry_cap_ms.saturating_mul(4)
    }
}
