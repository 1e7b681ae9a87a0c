//! The agent itself: what it knows, and one step of it.

use otaru_wire::payload::{LogLevel, member, without_padding};
use otaru_wire::{Reason, ShadowTopic, ShadowVerb, Topic};

use crate::json::Json;
use crate::shadow::{ShadowFollower, Taken, within};
use crate::{
    AgentConfig, Before, Delivery, Effect, Input, Journal, LogLine, Moment, Payload, Running,
};

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
pub use settings::SettingId;
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
    /// The shadow is read once more: only what the server can be told of is started.
    Reaching {
        /// When the wait for it ends.
        until_ms: u64,
    },
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
///
/// `ROOM` bytes are for settings: those in force and those the product was just given have each
/// half of it. A setting that has no room is refused, as if the product had.
#[derive(Clone, Debug)]
pub struct Agent<const ROOM: usize = 2048> {
    core: Core,
    room: [u8; ROOM],
}

/// Everything an agent knows but the settings.
#[derive(Clone, Debug)]
struct Core {
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
}

/// One step: what the agent knows, and where its effects go.
struct Step<'a> {
    agent: &'a mut Core,
    room: &'a mut [u8],
    /// `reported` of the document that came in this step.
    heard: Option<Json<'a>>,
    out: &'a mut dyn FnMut(Effect<'_>),
}

impl<const ROOM: usize> Agent<ROOM> {
    /// Carries one input out. `carry_out` is called with what the host has to do, in order.
    ///
    /// `now.uptime_ms` must not fall from step to step; an earlier one counts as the last.
    pub fn step(&mut self, now: Moment, input: Input<'_>, carry_out: &mut dyn FnMut(Effect<'_>)) {
        let uptime_ms = now.uptime_ms.max(self.core.now.uptime_ms);
        self.core.now = Moment { uptime_ms, ..now };
        let (agent, room) = (&mut self.core, self.room.as_mut_slice());
        Step { agent, room, heard: None, out: carry_out }.take(input);
    }

    /// The uptime at which [`Input::TimePassed`] is wanted next; `None` if never.
    pub fn wake_at_ms(&self) -> Option<u64> {
        self.core.wake_at_ms()
    }

    /// What the agent is doing.
    pub fn phase(&self) -> AgentPhase {
        self.core.phase
    }

    /// What survives a power cut.
    pub fn journal(&self) -> &Journal {
        &self.core.journal
    }

    /// The firmware that runs.
    pub fn running(&self) -> &Running {
        &self.core.running
    }

    /// Whether the shadow was read in this session of the broker: it is good for more.
    pub fn is_online(&self) -> bool {
        self.core.link == Link::Up
    }

    /// The settings in force, a JSON object.
    pub fn settings(&self) -> &str {
        settings::applied(&self.room, &self.core.settings).as_str()
    }
}

impl<'a> Step<'a> {
    fn take(&mut self, input: Input<'a>) {
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
            Input::SettingApplied(id) => self.setting_applied(id),
            Input::SettingRefused(id) => self.setting_refused(id),
            Input::RestoreRefused => self.restore_refused(),
        }
        self.run_timers();
        self.report_if_due();
    }

    fn shadow_arrived(&mut self, topic: ShadowTopic, payload: &'a [u8]) {
        use ShadowTopic::{Accepted, Rejected};
        let message = Json::parse(without_padding(payload)).filter(|message| message.is_object());
        let Some(message) = message else { return };
        let token = message.member(member::CLIENT_TOKEN).and_then(Json::as_text);
        let code = message.member(member::CODE).and_then(Json::as_u64).unwrap_or(500);
        if matches!(topic, ShadowTopic::Documents | ShadowTopic::Delta) {
            self.service_heard();
        }
        match topic {
            Accepted(ShadowVerb::Get) => {
                self.document_arrived(message);
                self.shadow_read();
                if self.agent.link == Link::Up {
                    self.settings_arrived(message);
                }
                self.server_reached();
            }
            Rejected(ShadowVerb::Get) if code == 404 => match self.agent.shadow.take_absence(token)
            {
                Taken::Yes => {
                    self.compare_settings(None);
                    self.shadow_read();
                    self.follow_settings(Json::EMPTY, false);
                }
                Taken::Unclear => self.ask(),
                Taken::No => {}
            },
            Rejected(ShadowVerb::Get) => self.read_refused(code, token),
            ShadowTopic::Documents => {
                let current = message.member(member::CURRENT);
                if let Some(current) = current.filter(|current| current.is_object())
                    && self.document_arrived(current)
                {
                    self.follow_wish();
                    self.follow_offer();
                    self.settings_arrived(current);
                }
            }
            ShadowTopic::Delta => match self.agent.shadow.take_delta(message) {
                Taken::Yes => {
                    self.follow_wish();
                    self.follow_offer();
                    let config = within(message.member(member::STATE), member::CONFIG);
                    self.follow_settings(config.unwrap_or(Json::EMPTY), true);
                }
                Taken::Unclear => self.ask(),
                Taken::No => {}
            },
            Accepted(ShadowVerb::Update) => {
                if let Some(patch) = self.agent.shadow.take_accepted(message) {
                    self.report_taken(patch);
                }
                self.report_accepted(token);
            }
            Rejected(ShadowVerb::Update) => self.report_rejected(code, token),
            // What was reported is gone with the shadow: read, find it missing, report it again.
            Accepted(ShadowVerb::Delete) => {
                self.agent.shadow.forget();
                self.ask();
            }
            _ => {}
        }
    }

    fn document_arrived(&mut self, document: Json<'a>) -> bool {
        if self.agent.shadow.take_document(document) != Taken::Yes {
            return false;
        }
        let reported = within(document.member(member::STATE), member::REPORTED);
        self.heard = reported;
        self.compare_settings(within(reported, member::CONFIG));
        true
    }

    /// Unless the document was too old: then what is wanted is known better.
    fn settings_arrived(&mut self, document: Json<'_>) {
        if self.agent.shadow.is_of(document) {
            let desired = within(document.member(member::STATE), member::DESIRED);
            let config = within(desired, member::CONFIG).unwrap_or(Json::EMPTY);
            self.follow_settings(config, false);
        }
    }

    /// The service took a patch of what is reported.
    fn report_taken(&mut self, patch: Json<'_>) {
        let is_unclear = match patch.member(member::CONFIG) {
            Some(config) if config.is_object() => self.compare_patched_settings(config),
            None if patch.is_object() => false,
            _ => {
                self.compare_settings(None);
                false
            }
        };
        if is_unclear {
            self.agent.settings.needs_document = true;
            self.ask();
        }
    }

    #[inline(never)]
    fn save_journal(&mut self) {
        (self.out)(Effect::SaveJournal(&self.agent.journal.to_bytes()));
    }

    #[inline(never)]
    fn log(
        &mut self,
        level: LogLevel,
        code: impl Into<Option<&'static str>>,
        message: &[&str],
        reason: Option<Reason>,
    ) {
        log(self.out, level, code.into(), message, reason);
    }
}

fn log(
    out: &mut dyn FnMut(Effect<'_>),
    level: LogLevel,
    code: Option<&'static str>,
    message: &[&str],
    reason: Option<Reason>,
) {
    out(Effect::Log(LogLine { level, code, message, reason }));
}

fn publish(topic: Topic, payload: Payload<'_>) -> Effect<'_> {
    Effect::Publish { topic, payload, delivery: Delivery::AtLeastOnce }
}
