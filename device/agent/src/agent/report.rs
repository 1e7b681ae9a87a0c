//! Reporting: what is true here, against what the service is known to have.
//!
//! There is no queue of reports to lose. The truth is rebuilt from journal and
//! settings at every boot, and whatever differs from the service's `reported` is
//! sent until it was accepted.

use otaru_wire::payload::{FirmwareState, LogLevel, NO_LABEL, member};
use otaru_wire::{Outcome, Reason, ShadowVerb};

use super::link::Link;
use super::{Core, Settling, Step};
use crate::json::{Decimal, Json, Out, Text, difference, print_of_text};
use crate::reported::{GROUPS, Leaf};
use crate::shadow::within;
use crate::token::Token;
use crate::{Payload, full_jitter};

/// The report on its way, and when the next may go.
#[derive(Clone, Debug, Default)]
pub(super) struct Reporter {
    /// The report that was not answered yet.
    pub(super) in_flight: Option<InFlight>,
    /// Print of the patch accepted last.
    accepted: Option<u64>,
    /// Whether the shadow had all of it since.
    was_there: bool,
    /// Print of the patch of settings the shadow has no room for, until there is another or a new session.
    too_large: Option<u64>,
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
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    token: Token,
    pub(super) sent_at_ms: u64,
    /// Print of the patch.
    patch: u64,
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
    pub(super) fn next_token(&mut self, random: u64) -> Token {
        self.tokens = self.tokens.wrapping_add(1);
        Token { random, number: self.tokens }
    }
}

impl Step<'_> {
    /// Sends what the service does not have yet, one report at a time. What runs comes
    /// first and alone: no settings, however many, may keep that from being told.
    pub(super) fn report_if_due(&mut self) {
        let reporter = &self.agent.reporter;
        let waits =
            reporter.in_flight.is_some() || self.agent.now.uptime_ms < reporter.not_before_ms;
        if self.agent.link != Link::Up || waits || self.agent.shadow.reported.is_none() {
            return;
        }
        let firmware = print_of_patch(&|out| self.agent.write_firmware(out));
        let settings = || print_of_patch(&|out| self.write_settings(out));
        let settings = if firmware.is_some() { None } else { settings() };
        let settings = settings.filter(|patch| self.agent.reporter.too_large != Some(*patch));
        let Some(patch) = firmware.or(settings) else {
            // What of an object the shadow has is seen in the document that was asked for.
            self.agent.reporter.was_there |= !self.agent.settings.needs_document;
            if self.agent.settling == Settling::UntilReported {
                self.agent.settling = Settling::UntilRead;
                self.ask();
            }
            return;
        };
        if self.agent.reporter.accepted.take() == Some(patch) {
            return self.report_gone();
        }
        let token = self.agent.reporter.next_token(self.agent.now.random);
        let sent_at_ms = self.agent.now.uptime_ms;
        self.agent.reporter.in_flight = Some(InFlight { token, sent_at_ms, patch });
        let (agent, room, heard) = (&*self.agent, &*self.room, self.heard);
        let write = |out: &mut Out<'_>| {
            out("{\"state\":{\"reported\":{");
            match firmware.is_some() {
                true => agent.write_firmware(out),
                false => write_settings(agent, room, heard, out),
            }
            out("}},\"clientToken\":\"");
            out(&token.text());
            out("\"}");
        };
        let topic = agent.shadow_topic(ShadowVerb::Update);
        (self.out)(super::publish(topic, Payload::new(&write)));
    }

    fn write_settings(&self, out: &mut Out<'_>) {
        write_settings(self.agent, self.room, self.heard, out);
    }

    pub(super) fn report_accepted(&mut self, token: Option<Text<'_>>) {
        if self.is_ours(token) {
            let report = self.agent.reporter.in_flight.take();
            self.agent.reporter.accepted = report.map(|report| report.patch);
            self.agent.reporter.was_there = false;
            self.agent.reporter.failed = 0;
        }
    }

    pub(super) fn report_rejected(&mut self, code: u64, token: Option<Text<'_>>) {
        if !self.is_ours(token) {
            return;
        }
        if code == 413 {
            let report = self.agent.reporter.in_flight.take();
            self.agent.reporter.too_large = report.map(|report| report.patch);
        }
        let number = Decimal::new(code);
        self.report_failed(&["the report was refused: ", number.as_str()], Reason::ServerError);
        match code {
            409 => self.ask(),
            // It will be refused again: the next wish must not wait for it for ever.
            400..=499 if code != 429 && self.agent.settling == Settling::UntilReported => {
                match print_of_patch(&|out| self.agent.write_firmware(out)) {
                    Some(_) => {
                        self.agent.settling = Settling::Settled;
                        self.follow_wish();
                    }
                    // Of settings: how the update ended is told.
                    None => {
                        self.agent.settling = Settling::UntilRead;
                        self.ask();
                    }
                }
            }
            _ => {}
        }
    }

    /// The same has to be said again. That waits, too: somebody else may go on changing it.
    fn report_gone(&mut self) {
        if !self.agent.reporter.was_there {
            let message = "an accepted report is not in the shadow";
            return self.report_failed(&[message], Reason::ServerError);
        }
        let message = "somebody else changed what was reported: it is said again";
        self.log(LogLevel::Info, None, &[message], None);
        self.report_later();
    }

    pub(super) fn report_failed(&mut self, message: &[&str], reason: Reason) {
        self.log(LogLevel::Warn, "CONFIG_REPORT_FAILED", message, Some(reason));
        self.report_later();
    }

    fn report_later(&mut self) {
        let (base, cap) = (self.agent.config.retry_base_ms, self.agent.config.retry_cap_ms);
        let reporter = &mut self.agent.reporter;
        let delay = full_jitter(base, cap, reporter.failed, self.agent.now.random);
        reporter.in_flight = None;
        reporter.failed = reporter.failed.saturating_add(1);
        reporter.not_before_ms = self.agent.now.uptime_ms.saturating_add(delay);
    }

    /// What waits for the shadow service need not wait long any more.
    pub(super) fn service_heard(&mut self) {
        let (base, cap) = (self.agent.config.retry_base_ms, self.agent.config.retry_cap_ms);
        let soon = full_jitter(base, cap, 0, self.agent.now.random);
        let soon = self.agent.now.uptime_ms.saturating_add(soon);
        let reporter = &mut self.agent.reporter;
        reporter.ask_at_ms = reporter.ask_at_ms.map(|at| at.min(soon));
        if self.agent.settling == Settling::UntilReported {
            reporter.not_before_ms = reporter.not_before_ms.min(soon);
        }
    }

    fn is_ours(&self, token: Option<Text<'_>>) -> bool {
        let in_flight = self.agent.reporter.in_flight;
        in_flight.zip(token).is_some_and(|(report, token)| report.token.is(token))
    }
}

impl Core {
    /// What of the agent's own the service lacks or holds otherwise.
    fn write_firmware(&self, out: &mut Out<'_>) {
        let Some(known) = &self.shadow.reported else { return };
        let mut patch = Patch::new(out);
        let mut place = 0;
        for (index, group) in GROUPS.iter().enumerate() {
            let first = place;
            place += group.names.len();
            if self.leaves_alone(index) {
                continue;
            }
            let is_there = self.is_true(index);
            if !is_there && known.is_there(index) && group.inner.is_empty() {
                patch.member("", "", group.outer)("null");
                continue;
            }
            if !is_there && known.is_there(index) {
                patch.member(group.outer, "", group.inner)("null");
                continue;
            }
            for (at, name) in (first..place).zip(group.names) {
                let leaf = self.leaf(at);
                if leaf.print() != known.print(at) {
                    leaf.write(patch.member(group.outer, group.inner, name));
                }
            }
            if let Some((_, name)) = known.foreign.as_ref().filter(|(found, _)| *found == index) {
                patch.member(group.outer, group.inner, name)("null");
            }
        }
        patch.end();
    }

    /// What is not said at all, whatever the service has.
    fn leaves_alone(&self, group: usize) -> bool {
        match group {
            // A doubtful label would look like a release nobody asked for.
            0 => {
                !self.running_stays
                    || !self.running.label_is_certain
                    || self.running.label.is_none()
            }
            // What was seen before this boot stands until something is seen again.
            3 => self.trust.report.is_none(),
            _ => false,
        }
    }

    /// Whether a group of members is there at all.
    fn is_true(&self, group: usize) -> bool {
        match group {
            // An end whose image was never known was a wish without update record: nobody waits for it.
            2 => self.journal.last.as_ref().is_some_and(|last| last.sha256.is_some()),
            4 => self.shadow.wish.update.is_some(),
            5 => self.screen.offer.is_some(),
            _ => true,
        }
    }

    /// What is true, by its place among [`GROUPS`].
    fn leaf(&self, place: usize) -> Leaf<'_> {
        let running = &self.running;
        let last = self.journal.last.as_ref().filter(|last| last.sha256.is_some());
        let (trust, update) = (self.trust.report.as_ref(), self.shadow.wish.update.as_ref());
        let offer = self.screen.offer.as_ref();
        let leaf = match place {
            0 => running.label.as_deref().map(Leaf::Text),
            1 => Some(Leaf::Digest(&running.sha256)),
            2 => Some(Leaf::Text(running.label.as_deref().unwrap_or(NO_LABEL))),
            3 => Some(Leaf::Text(running.slot)),
            4 => Some(Leaf::Text(self.firmware_state().as_str())),
            5 => self.config.shows_offers.then_some(Leaf::True),
            6 => last.and_then(|last| last.update.as_ref()).map(|id| Leaf::Text(id.as_str())),
            7 => last.map(|last| Leaf::Text(last.version.as_str())),
            8 => last.and_then(|last| last.sha256.as_ref()).map(Leaf::Digest),
            9 => last.map(|last| Leaf::Text(last.outcome.as_str())),
            10 => last.and_then(|last| last.reason).map(number),
            11 => trust.map(|trust| Leaf::Number(trust.root)),
            12 => trust.and_then(|trust| trust.timestamp).map(Leaf::Signed),
            13 => trust.and_then(|trust| trust.reason).map(number),
            14 => update.map(|update| Leaf::Text(update.id.as_str())),
            15 => update.map(|update| Leaf::Digest(&update.sha256)),
            16 => update.map(|update| Leaf::Number(update.attempt.into())),
            17 => offer.map(|offer| Leaf::Text(offer.version.as_str())),
            18 => offer.map(|offer| Leaf::Digest(&offer.sha256)),
            19 => offer.map(|offer| Leaf::Number(offer.size)),
            _ => self.screen.decision.map(|decision| Leaf::Text(decision.as_str())),
        };
        leaf.unwrap_or(Leaf::Absent)
    }

    fn firmware_state(&self) -> FirmwareState {
        let last = self.journal.last.as_ref();
        match (self.running_stays, last.is_some_and(|last| last.outcome == Outcome::RolledBack)) {
            (false, _) => FirmwareState::Trial,
            (true, true) => FirmwareState::RolledBack,
            (true, false) => FirmwareState::Confirmed,
        }
    }
}

fn number(reason: Reason) -> Leaf<'static> {
    Leaf::Number(reason.number().into())
}

/// The settings the service lacks or holds otherwise. What of an object has to be removed there is
/// known only where the document is at hand.
fn write_settings(agent: &Core, room: &[u8], heard: Option<Json<'_>>, out: &mut Out<'_>) {
    let settings = super::settings::applied(room, &agent.settings);
    let known = within(heard, member::CONFIG);
    let mut patch = Patch::new(out);
    for (place, (name, value)) in settings.members().enumerate() {
        let waits = agent.settings.needs_document && heard.is_none() && value.is_object();
        if agent.settings.unreported & 1 << place != 0
            && !waits
            && !name.is(member::FIRMWARE_VERSION)
        {
            let known = known.and_then(|known| known.same_member(name));
            difference(known, value, patch.member(member::CONFIG, "", name.raw()));
        }
    }
    patch.end();
}

/// The print of what is written; `None` for nothing.
fn print_of_patch(write: &dyn Fn(&mut Out<'_>)) -> Option<u64> {
    let (mut print, mut is_empty) = (0u64, true);
    write(&mut |piece| {
        is_empty &= piece.is_empty();
        print = print.rotate_left(7).wrapping_mul(31) ^ print_of_text(piece.chars());
    });
    (!is_empty).then_some(print)
}

/// A patch that is being written: members of members, each object opened where its first is.
struct Patch<'a, 'o> {
    out: &'a mut Out<'o>,
    outer: &'static str,
    inner: &'static str,
    is_first: bool,
}

impl<'a, 'o> Patch<'a, 'o> {
    fn new(out: &'a mut Out<'o>) -> Patch<'a, 'o> {
        Patch { out, outer: "", inner: "", is_first: true }
    }

    fn member(&mut self, outer: &'static str, inner: &'static str, name: &str) -> &mut Out<'o> {
        if self.outer != outer {
            self.close_inner();
            self.close_outer();
            self.open(outer);
            self.outer = outer;
        }
        if self.inner != inner {
            self.close_inner();
            self.open(inner);
            self.inner = inner;
        }
        self.name(name);
        self.is_first = false;
        self.out
    }

    fn name(&mut self, name: &str) {
        (self.out)(if self.is_first { "\"" } else { ",\"" });
        (self.out)(name);
        (self.out)("\":");
    }

    fn open(&mut self, name: &str) {
        if !name.is_empty() {
            self.name(name);
            (self.out)("{");
            self.is_first = true;
        }
    }

    fn close_inner(&mut self) {
        if !core::mem::take(&mut self.inner).is_empty() {
            (self.out)("}");
        }
    }

    fn close_outer(&mut self) {
        if !core::mem::take(&mut self.outer).is_empty() {
            (self.out)("}");
        }
    }

    fn end(mut self) {
        self.close_inner();
        self.close_outer();
    }
}
