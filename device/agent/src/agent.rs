//! The agent itself: what it knows, and one step of it.

use alloc::vec::Vec;

use otaru_wire::payload::LogLevel;
use otaru_wire::{Reason, ShadowTopic};
use serde_json::{Map, Value};

use crate::shadow::{Heard, ShadowFollower};
use crate::{AgentConfig, Before, Effect, Input, Journal, LogLine, Moment, Running};

mod boot;
mod decision;
mod fetch;
mod link;
mod offer;
mod progress;
mod report;
mod settings;
#[cfg(test)]
mod tests;
mod timers;
mod trial;
mod trust;
mod wish;

pub use boot::Stored;

use link::Link;
use offer::Screen;
use progress::Meter;
use report::Reporter;
use settings::Settings;
use trust::TrustWatch;

/// What the agent is doing. How an update ended is [`Journal::last`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentPhase {
    /// Nothing to do.
    Idle,
    /// A target survived a restart; the shadow is read before it is pursued.
    Offered,
    /// Manifest and root are fetched and checked.
    Preflight,
    /// The inactive slot is being filled.
    Downloading {
        /// Bytes read back from flash and right.
        done: u64,
        /// Bytes of the image.
        total: u64,
    },
    /// The whole slot is hashed from flash.
    Verifying,
    /// The trial boot is being armed: too late to cancel.
    Staged,
    /// Armed; restarting.
    Activating,
    /// This boot is a trial; the broker was not reached yet.
    Trial {
        /// When the wait for it ends.
        until_ms: u64,
    },
    /// The product tests itself.
    SelfTest {
        /// When the wait for it ends.
        until_ms: u64,
    },
    /// The slot is being marked as good.
    Confirming,
    /// The slot is being marked as bad, then a restart.
    RollingBack,
    /// The product is asked whether to go on.
    Asking {
        /// What would come next.
        before: Before,
        /// When the wait for the answer ends.
        until_ms: u64,
    },
    /// The product said later.
    Deferred {
        /// When it is asked again, by uptime; earlier where a known clock says so.
        until_ms: u64,
        /// Why.
        reason: Reason,
    },
    /// Tries again later.
    AwaitRetry {
        /// When.
        until_ms: u64,
        /// Why it has to.
        reason: Reason,
    },
}

/// How far the end of the last update has got to the server. A new wish is looked at
/// only when it is settled: until the server knows how the last one ended, desired is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settling {
    /// Nothing outstanding.
    Settled,
    /// The end was not reported, or the report not accepted, yet.
    UntilReported,
    /// Reported; desired is read once more.
    UntilRead,
}

/// The update agent. See the crate's documentation for how a host drives it.
#[derive(Clone, Debug)]
pub struct Agent {
    config: AgentConfig,
    running: Running,
    /// Whether what runs stays.
    running_stays: bool,
    journal: Journal,
    phase: AgentPhase,
    settling: Settling,
    shadow: ShadowFollower,
    link: Link,
    reporter: Reporter,
    settings: Settings,
    meter: Meter,
    screen: Screen,
    trust: TrustWatch,
    now: Moment,
    effects: Vec<Effect>,
}

impl Agent {
    /// Carries one input out and says what the host has to do, in order.
    ///
    /// `now.uptime_ms` must not fall from step to step; an earlier one counts as the last.
    pub fn step(&mut self, now: Moment, input: Input<'_>) -> Vec<Effect> {
        let uptime_ms = now.uptime_ms.max(self.now.uptime_ms);
        self.now = Moment { uptime_ms, ..now };
        match input {
            Input::LinkUp => self.link_up(),
            Input::LinkDown => self.link_down(),
            Input::Subscribed => self.subscribed(),
            Input::ShadowArrived { topic, payload } => self.shadow_arrived(topic, payload),
            Input::TimePassed => {}
            Input::ManifestChecked(result) => self.manifest_checked(result),
            Input::TrustChecked(report) => self.trust_checked(report),
            Input::BytesRead { done } => self.bytes_read(done),
            Input::DownloadEnded(result) => self.download_ended(result),
            Input::ProductDecided(decision) => self.product_decided(decision),
            Input::DecisionChanged => self.decision_changed(),
            Input::SlotVerified(result) => self.slot_verified(result),
            Input::TrialBootArmed(result) => self.trial_boot_armed(result),
            Input::SelfTestEnded(result) => self.self_test_ended(result),
            Input::SlotConfirmed(result) => self.slot_confirmed(result),
            Input::RollBackFailed(reason) => self.roll_back_failed(reason),
            Input::OfferDecided { version, decision } => self.offer_decided(&version, decision),
            Input::SettingApplied { name, value } => self.setting_applied(name, value),
            Input::SettingRefused { name } => self.setting_refused(name),
        }
        self.run_timers();
        self.report_if_due();
        core::mem::take(&mut self.effects)
    }

    /// What the agent is doing.
    pub fn phase(&self) -> AgentPhase {
        self.phase
    }

    /// What survives a power cut.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The firmware that runs.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Whether the shadow was read in this session of the broker: it is good for more.
    pub fn is_online(&self) -> bool {
        self.link == Link::Up
    }

    /// The settings in force.
    pub fn settings(&self) -> &Map<alloc::string::String, Value> {
        self.settings.applied()
    }

    fn shadow_arrived(&mut self, topic: ShadowTopic, payload: &[u8]) {
        match self.shadow.hear(topic, payload) {
            Heard::Read => self.shadow_read(),
            Heard::Changed => {
                self.follow_wish();
                self.follow_offer();
                self.follow_settings();
            }
            Heard::Accepted { token } => self.report_accepted(token.as_deref()),
            Heard::Rejected { code, token } => self.report_rejected(code, token.as_deref()),
            Heard::ReadRefused { code } => self.read_refused(code),
            // What was reported is gone with the shadow: read, find it missing, report it again.
            Heard::Deleted | Heard::Overtaken => self.ask(),
            Heard::Nothing => {}
        }
    }

    fn save_journal(&mut self) {
        self.effects.push(Effect::SaveJournal(self.journal.to_bytes()));
    }

    fn log(
        &mut self,
        level: LogLevel,
        code: impl Into<Option<&'static str>>,
        message: impl Into<alloc::string::String>,
        reason: Option<Reason>,
    ) {
        let (code, message) = (code.into(), message.into());
        self.effects.push(Effect::Log(LogLine { level, code, message, reason }));
    }
}
