//! Reporting: what is true here, against what the service is known to have.
//!
//! There is no queue of reports to lose. The truth is rebuilt from journal and
//! settings at every boot, and whatever differs from the service's `reported` is
//! sent until it was accepted.

use alloc::format;
use alloc::string::{String, ToString};

use otaru_wire::payload::{FirmwareReport, FirmwareState, LastUpdate, LogLevel};
use otaru_wire::{Outcome, Reason, ShadowVerb};
use serde_json::{Map, Value, json};

use super::link::Link;
use super::{Agent, Settling};
use crate::full_jitter;
use crate::journal::Ended;
use crate::patch::difference;
use crate::shadow::FIRMWARE_VERSION;

/// The report on its way, and when the next may go.
#[derive(Clone, Debug, Default)]
pub(super) struct Reporter {
    /// The report that was not answered yet.
    pub(super) in_flight: Option<InFlight>,
    /// The patch accepted last.
    accepted: Option<Value>,
    /// The patch of settings the shadow has no room for, until there is another or a new session.
    too_large: Option<Value>,
    /// When the shadow, or before it the subscriptions, were asked for, if that was not answered yet.
    pub(super) asked_at_ms: Option<u64>,
    /// When a refused read is asked for again.
    pub(super) ask_at_ms: Option<u64>,
    /// Reads in a row that were refused.
    pub(super) reads_refused: u32,
    /// Reports in a row that were not accepted.
    pub(super) failed: u32,
    /// No report before this.
    pub(super) not_before_ms: u64,
    tokens: u32,
}

/// A report on its way.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    token: String,
    pub(super) sent_at_ms: u64,
    patch: Value,
}

impl Reporter {
    /// Nothing sent before is answered any more: another session begins.
    pub(super) fn forget(&mut self) {
        self.in_flight = None;
        self.too_large = None;
        self.asked_at_ms = None;
        self.ask_at_ms = None;
        self.not_before_ms = 0;
    }

    /// A client token no other boot or message uses.
    pub(super) fn next_token(&mut self, random: u64) -> String {
        self.tokens = self.tokens.wrapping_add(1);
        format!("{random:016x}-{}", self.tokens)
    }
}

impl Agent {
    /// Sends what the service does not have yet, one report at a time.
    pub(super) fn report_if_due(&mut self) {
        let waits =
            self.reporter.in_flight.is_some() || self.now.uptime_ms < self.reporter.not_before_ms;
        if self.link != Link::Up || waits {
            return;
        }
        let Some(patch) = self.unreported() else {
            if self.settling == Settling::UntilReported {
                self.settling = Settling::UntilRead;
                self.ask();
            }
            return;
        };
        if self.reporter.accepted.take().is_some_and(|accepted| accepted == patch) {
            let message = "an accepted report is not in the shadow".into();
            return self.report_failed(message, Reason::ServerError);
        }
        let token = self.reporter.next_token(self.now.random);
        let payload = json!({ "state": { "reported": &patch }, "clientToken": &token });
        let sent_at_ms = self.now.uptime_ms;
        self.reporter.in_flight = Some(InFlight { token, sent_at_ms, patch });
        self.publish_shadow(ShadowVerb::Update, payload.to_string().into_bytes());
    }

    pub(super) fn report_accepted(&mut self, token: Option<&str>) {
        if self.is_ours(token) {
            self.reporter.accepted = self.reporter.in_flight.take().map(|report| report.patch);
            self.reporter.failed = 0;
        }
    }

    pub(super) fn report_rejected(&mut self, code: u64, token: Option<&str>) {
        if !self.is_ours(token) {
            return;
        }
        if code == 413 {
            self.reporter.too_large = self.reporter.in_flight.take().map(|report| report.patch);
        }
        let message = format!("the report was refused: {code}");
        self.report_failed(message, Reason::ServerError);
        match code {
            409 => self.ask(),
            // It will be refused again: the next wish must not wait for it for ever.
            400..=499
                if code != 429
                    && self.settling == Settling::UntilReported
                    && self.owes_firmware() =>
            {
                self.settling = Settling::Settled;
            }
            _ => {}
        }
    }

    pub(super) fn report_failed(&mut self, message: String, reason: Reason) {
        self.log(LogLevel::Warn, "CONFIG_REPORT_FAILED", message, Some(reason));
        let (base, cap) = (self.config.retry_base_ms, self.config.retry_cap_ms);
        let delay = full_jitter(base, cap, self.reporter.failed, self.now.random);
        self.reporter.in_flight = None;
        self.reporter.failed = self.reporter.failed.saturating_add(1);
        self.reporter.not_before_ms = self.now.uptime_ms.saturating_add(delay);
    }

    fn is_ours(&self, token: Option<&str>) -> bool {
        let in_flight = self.reporter.in_flight.as_ref();
        in_flight.is_some_and(|report| token == Some(report.token.as_str()))
    }

    /// The patch of `reported` that is still missing at the service. What runs comes
    /// first and alone: no settings, however many, may keep that from being told.
    fn unreported(&self) -> Option<Value> {
        let known = self.shadow.reported.as_ref()?;
        self.unreported_firmware(known).or_else(|| self.unreported_settings(known))
    }

    fn owes_firmware(&self) -> bool {
        let known = self.shadow.reported.as_ref();
        known.is_some_and(|known| self.unreported_firmware(known).is_some())
    }

    fn unreported_firmware(&self, known: &Map<String, Value>) -> Option<Value> {
        let mut patch = Map::new();
        // A doubtful label would look like a release nobody asked for.
        if self.running_stays
            && self.running.label_is_certain
            && let Some(label) = &self.running.label
        {
            let version = Map::from_iter([(FIRMWARE_VERSION.into(), label.as_str().into())]);
            let config = missing_members(known.get("config"), version);
            patch.extend(config.map(|config| ("config".to_string(), config)));
        }
        let mut firmware = self.firmware_report().to_value();
        // What was seen before this boot stands until something is seen again.
        if self.trust.report.is_none()
            && let Some(trust) = known.get("firmware").and_then(|firmware| firmware.get("trust"))
        {
            firmware["trust"] = trust.clone();
        }
        if let Some(firmware) = difference(known.get("firmware"), &firmware) {
            patch.insert("firmware".into(), firmware);
        }
        let update = self.shadow.wish.update.as_ref().map(|update| update.to_value());
        let echoes =
            [("update", update.unwrap_or(Value::Null)), ("update_offer", self.offer_echo())];
        for (name, echo) in echoes {
            match known.get(name) {
                None if echo.is_null() => {}
                known => patch.extend(difference(known, &echo).map(|echo| (name.into(), echo))),
            }
        }
        (!patch.is_empty()).then_some(Value::Object(patch))
    }

    fn unreported_settings(&self, known: &Map<String, Value>) -> Option<Value> {
        let mut applied: Map<String, Value> = self.settings.applied().clone();
        applied.remove(FIRMWARE_VERSION);
        let patch = json!({ "config": missing_members(known.get("config"), applied)? });
        (self.reporter.too_large.as_ref() != Some(&patch)).then_some(patch)
    }

    fn firmware_report(&self) -> FirmwareReport {
        let last = self.journal.last.as_ref();
        let went_back = last.is_some_and(|last| last.outcome == Outcome::RolledBack);
        FirmwareReport {
            sha256: self.running.sha256,
            version: self.running.label.clone().unwrap_or_else(|| FirmwareReport::NO_LABEL.into()),
            slot: self.running.slot.clone(),
            state: match (self.running_stays, went_back) {
                (false, _) => FirmwareState::Trial,
                (true, true) => FirmwareState::RolledBack,
                (true, false) => FirmwareState::Confirmed,
            },
            last: last.and_then(last_update),
            shows_offers: self.config.shows_offers,
            trust: self.trust.report,
        }
    }
}

/// The members of `truth` that `known` lacks or holds otherwise. Members that others keep
/// in `known` are none of the agent's business.
fn missing_members(known: Option<&Value>, truth: Map<String, Value>) -> Option<Value> {
    let known = known.and_then(Value::as_object);
    let changed = truth.into_iter().filter_map(|(name, value)| {
        let known = known.and_then(|known| known.get(&name));
        difference(known, &value).map(|patch| (name, patch))
    });
    let changed: Map<String, Value> = changed.collect();
    (!changed.is_empty()).then_some(Value::Object(changed))
}

/// An end whose image was never known was a wish without update record: nobody waits for it.
fn last_update(ended: &Ended) -> Option<LastUpdate> {
    Some(LastUpdate {
        update: ended.update.clone(),
        version: ended.version.as_str().to_string(),
        sha256: ended.sha256?,
        outcome: ended.outcome,
        reason: ended.reason,
    })
}
