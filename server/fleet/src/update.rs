//! The life of one update: what each thing heard about it does to it.
//!
//! Phases and outcomes are those the owner reads; `vanished` is the one
//! outcome that later truth may replace.

use otaru_wire::{
    Digest, Outcome, Phase, Reason, ReleaseVersion, UpdateId,
    payload::{FirmwareState, LastUpdate, Progress},
};

use crate::Limits;

/// The longest a device may put off its next try. Its clock may be wrong by years, and nothing
/// is in progress for ever.
const WAIT_MAX_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// One device's move to one release. Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its name in the shadow and the API.
    pub id: UpdateId,
    /// The release's version.
    pub version: ReleaseVersion,
    /// The release's image.
    pub sha256: Digest,
    /// The device knows only the shadow topics: it reports no phase.
    pub plain: bool,
    /// Where it is; after the end, where it was.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why it ended so, or why it waits.
    pub reason: Option<Reason>,
    /// Bytes read back from the device's flash.
    pub done_bytes: u64,
    /// Bytes of the whole work of this attempt.
    pub total_bytes: u64,
    /// Rises when the device starts the work anew.
    pub attempt: u32,
    /// Somebody asked to stop; the device has not answered yet.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub requested_at: i64,
    /// When the phase began.
    pub phase_at: i64,
    /// When the last new byte was heard of.
    pub bytes_at: i64,
    /// When the download began, attempts and waiting between them included.
    pub downloading_at: Option<i64>,
    /// When the device was first handed the wish.
    pub told_at: Option<i64>,
    /// Until when it is put off, by the owner or by the device.
    pub until_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// What a device says it runs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Running {
    /// The running slot's SHA-256; plain clients do not tell.
    pub sha256: Option<Digest>,
    /// Version string as reported.
    pub version: Option<String>,
    /// Whether the firmware has passed its trial; plain clients report only what has.
    pub state: Option<FirmwareState>,
}

impl Running {
    /// Whether this firmware is not on trial. A device that went back once says so for as
    /// long as it runs what it went back to.
    pub fn stays(&self) -> bool {
        self.state != Some(FirmwareState::Trial)
    }
}

/// Something heard about an update.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The time it was put off to has come, or somebody said now.
    Due,
    /// It was put off already and is to wait until another time.
    PutOff {
        /// Until when.
        until_at: i64,
    },
    /// The time it was put off to has come, and its owner is to be asked once more.
    AskedAgain,
    /// The device's shadow has no room for the wish.
    WishRefused,
    /// The wish was handed to a session of the device.
    Told,
    /// The device sent a progress message.
    ProgressMade(&'a Progress),
    /// A plain client asked for the image.
    ImageFetched,
    /// The device reported what it runs.
    Reported {
        /// The running slot.
        running: &'a Running,
        /// Its verdict on its last update.
        last: Option<&'a LastUpdate>,
    },
    /// Owner or operator wants it stopped, or the release was yanked (then with a reason).
    CancelRequested {
        /// Why, if it was not simply asked for.
        reason: Option<Reason>,
    },
    /// A newer release takes its place, wished for or already running.
    Superseded,
    /// The device is out of service: it will never answer.
    DeviceGone,
    /// Its deadline passed in silence.
    Expired,
}

/// What the device's shadow needs because of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Desired names the release.
    Wish,
    /// Desired goes back to what the device runs.
    Withdraw,
    /// Desired stays; the members that belong to this update go.
    Close,
}

impl Update {
    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether news can still change it: silence is not the last word.
    pub fn may_change(&self) -> bool {
        self.is_open() || self.outcome == Some(Outcome::Vanished)
    }

    /// Whether the new image is armed, so that nobody can stop it any more.
    pub fn is_past_cancelling(&self) -> bool {
        self.phase >= Phase::Restarting
    }

    /// What `input` makes of this update, or `None` when it changes nothing.
    ///
    /// Total and idempotent: messages come late, twice and out of order.
    pub fn step(&self, input: &Input<'_>, now: i64) -> Option<(Update, Effect)> {
        match input {
            Input::Due if self.is_open() && self.phase == Phase::Deferred => {
                Some((self.at(Phase::Requested, now), Effect::Wish))
            }
            Input::PutOff { until_at } if self.is_open() && self.phase == Phase::Deferred => {
                let next = Update { until_at: Some(*until_at), ..self.clone() };
                (next != *self).then_some((next, Effect::None))
            }
            Input::AskedAgain if self.is_open() && self.phase == Phase::Deferred => {
                let next = Update { until_at: None, ..self.clone() };
                (next != *self).then_some((next, Effect::None))
            }
            Input::WishRefused if self.is_open() && self.phase == Phase::Requested => {
                let reason = Some(Reason::ShadowFull);
                Some((self.ended(Outcome::Failed, reason, now), Effect::Withdraw))
            }
            Input::Told if self.is_open() && self.phase == Phase::Requested => {
                Some((self.told(Phase::Notified, now), Effect::None))
            }
            Input::ImageFetched
                if self.is_open()
                    && self.plain
                    && self.phase != Phase::Deferred
                    && self.phase < Phase::Downloading =>
            {
                Some((self.told(Phase::Downloading, now), Effect::None))
            }
            Input::ProgressMade(progress) => self.progress(progress, now),
            Input::Reported { running, last } => self.reported(running, *last, now),
            Input::CancelRequested { reason } if self.is_open() && !self.is_past_cancelling() => {
                self.cancel(*reason, now)
            }
            // Nobody answers: it is over at once, and the wish must not wait for the device.
            Input::CancelRequested { reason } if self.outcome == Some(Outcome::Vanished) => {
                let reason = reason.or(Some(Reason::Cancelled));
                Some((self.ended(Outcome::Cancelled, reason, now), Effect::Withdraw))
            }
            Input::Superseded if self.may_change() => {
                Some((self.ended(Outcome::Superseded, None, now), Effect::None))
            }
            Input::DeviceGone if self.may_change() => Some((
                self.ended(Outcome::Cancelled, Some(Reason::Cancelled), now),
                Effect::Withdraw,
            )),
            Input::Expired if self.is_open() => match self.phase {
                Phase::Deferred => self.step(&Input::Due, now),
                Phase::Requested => None,
                _ => Some((self.ended(Outcome::Vanished, self.reason, now), Effect::None)),
            },
            _ => None,
        }
    }

    /// When silence ends this update (or, deferred, starts it); `None` while waiting is
    /// nobody's fault.
    pub fn deadline_at(&self, limits: &Limits) -> Option<i64> {
        if !self.is_open() {
            return None;
        }
        match (self.phase, self.told_at) {
            (Phase::Deferred, _) => self.until_at,
            (Phase::Notified | Phase::Downloading, Some(told_at)) if self.plain => {
                Some(told_at + limits.plain_ms)
            }
            (Phase::Waiting, _) => {
                Some(self.until_at.unwrap_or(self.phase_at).max(self.phase_at) + limits.waiting_ms)
            }
            (Phase::Downloading, _) => Some(
                (self.bytes_at + limits.downloading_idle_ms)
                    .min(self.downloading_at.unwrap_or(self.phase_at) + limits.downloading_ms),
            ),
            (phase, _) => limits.of(phase).map(|limit| self.phase_at + limit),
        }
    }

    /// [`Update::deadline_at`] of a server that listens since `started_at`: silence counts
    /// only while somebody listens.
    pub fn deadline_since(&self, limits: &Limits, started_at: i64) -> Option<i64> {
        let old = self.deadline_at(limits)?;
        if self.phase == Phase::Deferred {
            return Some(old);
        }
        let heard_at_start = Update {
            phase_at: started_at,
            bytes_at: started_at,
            downloading_at: self.downloading_at.map(|_| started_at),
            told_at: self.told_at.map(|_| started_at),
            ..self.clone()
        };
        Some(old.max(heard_at_start.deadline_at(limits)?))
    }

    fn at(&self, phase: Phase, now: i64) -> Update {
        let (phase_at, bytes_at) = (now, now);
        let downloading_at = match phase {
            Phase::Downloading => self.downloading_at.or(Some(now)),
            Phase::Waiting => self.downloading_at,
            _ => None,
        };
        let (until_at, reason) = (None, None);
        Update { phase, phase_at, bytes_at, downloading_at, until_at, reason, ..self.clone() }
    }

    fn told(&self, phase: Phase, now: i64) -> Update {
        Update { told_at: self.told_at.or(Some(now)), ..self.at(phase, now) }
    }

    fn ended(&self, outcome: Outcome, reason: Option<Reason>, now: i64) -> Update {
        let phase = if outcome == Outcome::Confirmed { Phase::Confirmed } else { self.phase };
        let done_bytes =
            if outcome == Outcome::Confirmed { self.total_bytes } else { self.done_bytes };
        Update {
            phase,
            outcome: Some(outcome),
            reason,
            done_bytes,
            phase_at: now,
            until_at: None,
            ended_at: Some(now),
            ..self.clone()
        }
    }

    fn cancel(&self, reason: Option<Reason>, now: i64) -> Option<(Update, Effect)> {
        let reason = reason.or(Some(Reason::Cancelled));
        // Nobody told the device yet, or it is a client that has no way to answer.
        if self.told_at.is_none() || self.plain {
            return Some((self.ended(Outcome::Cancelled, reason, now), Effect::Withdraw));
        }
        if self.cancel_requested {
            return None;
        }
        Some((Update { cancel_requested: true, reason, ..self.clone() }, Effect::Withdraw))
    }

    fn progress(&self, progress: &Progress, now: i64) -> Option<(Update, Effect)> {
        let device_phase = matches!(
            progress.phase,
            Phase::Waiting
                | Phase::Notified
                | Phase::Downloading
                | Phase::Verifying
                | Phase::Restarting
                | Phase::Testing
        );
        let mine = progress.version == self.version && self.phase != Phase::Deferred;
        if !self.may_change() || !device_phase || !mine || progress.attempt < self.attempt {
            return None;
        }
        let new_attempt = progress.attempt > self.attempt || self.plain;
        // An attempt that begins in the phase the last one ended in is no step forward: a
        // device that restarts for ever must not keep its deadlines away.
        let moves = self.plain
            || progress.phase > self.phase
            || (progress.phase != self.phase
                && (new_attempt
                    || progress.phase == Phase::Waiting
                    || self.phase == Phase::Waiting));
        // A device heard again after it vanished goes on from wherever it is.
        let revived = !self.is_open();
        if !moves && !revived && progress.phase < self.phase {
            return None;
        }
        let mut next = self.clone();
        if revived {
            next.downloading_at = None;
        }
        next.plain = false;
        next.outcome = None;
        next.ended_at = None;
        next.told_at = self.told_at.or(Some(now));
        if moves || revived {
            next = next.at(progress.phase, now);
        }
        let done = if new_attempt { progress.done } else { progress.done.max(self.done_bytes) };
        if done > self.done_bytes {
            next.bytes_at = now;
        }
        next.done_bytes = done;
        next.total_bytes = progress.total.max(done);
        next.attempt = progress.attempt;
        next.until_at = waits_until(progress, now).filter(|_| next.phase == Phase::Waiting);
        if next.phase == Phase::Waiting && progress.reason.is_some_and(Reason::is_deferral) {
            // The time that the device itself takes is none of the download's.
            next.downloading_at = None;
        }
        next.reason = if next.cancel_requested { self.reason } else { progress.reason };
        (next != *self).then_some((next, Effect::None))
    }

    fn reported(
        &self,
        running: &Running,
        last: Option<&LastUpdate>,
        now: i64,
    ) -> Option<(Update, Effect)> {
        let same_version = running.version.as_deref() == Some(self.version.as_str());
        let is_target = match running.sha256 {
            Some(sha256) => sha256 == self.sha256,
            None => same_version,
        };
        let last = last.filter(|last| self.is_about(last));
        // It stays where there was nothing whole to go back to.
        let went_wrong = |last: &LastUpdate| {
            matches!(last.outcome, Outcome::Failed | Outcome::RolledBack) && self.may_change()
        };
        if is_target && running.stays() && !last.is_some_and(went_wrong) {
            let replaceable =
                matches!(self.outcome, None | Some(Outcome::Vanished | Outcome::Cancelled));
            return replaceable.then(|| (self.ended(Outcome::Confirmed, None, now), Effect::Close));
        }
        if !self.may_change() {
            return None;
        }
        if is_target && running.state == Some(FirmwareState::Trial) {
            let testing = Update { plain: false, outcome: None, ended_at: None, ..self.clone() };
            return (self.phase < Phase::Testing || !self.is_open())
                .then(|| (testing.told(Phase::Testing, now), Effect::None));
        }
        if let Some(last) = last {
            return self.verdict(last, now);
        }
        let tells_image = running.sha256.is_some();
        if same_version && running.stays() && tells_image && self.told_at.is_some() {
            let mismatch = self.ended(Outcome::Failed, Some(Reason::Mismatch), now);
            return Some((mismatch, Effect::Withdraw));
        }
        // It speaks as an agent: its silence is judged as an agent's, and it is told the id.
        let wished = self.is_open() && self.phase != Phase::Deferred;
        (tells_image && self.plain && self.is_open()).then(|| {
            let effect = if wished { Effect::Wish } else { Effect::None };
            (Update { plain: false, ..self.clone() }, effect)
        })
    }

    /// A device that had never reported `firmware` was given no id to echo: the image tells.
    fn is_about(&self, last: &LastUpdate) -> bool {
        match &last.update {
            Some(id) => *id == self.id,
            None => self.told_at.is_some() && last.sha256 == self.sha256,
        }
    }

    /// The device's own word on this update, when it does not run the target.
    fn verdict(&self, last: &LastUpdate, now: i64) -> Option<(Update, Effect)> {
        let (outcome, reason) = match last.outcome {
            Outcome::Failed | Outcome::RolledBack => (last.outcome, last.reason),
            // A yank's reason says more than the device's plain "cancelled"; why the device
            // waited before it said no does not.
            Outcome::Cancelled if self.cancel_requested => {
                (last.outcome, self.reason.or(last.reason))
            }
            Outcome::Cancelled => (last.outcome, last.reason.or(self.reason)),
            // It says confirmed but runs something else: it went back afterwards.
            Outcome::Confirmed => (Outcome::RolledBack, Some(Reason::RevertedAfterConfirm)),
            Outcome::Superseded | Outcome::Vanished => return None,
        };
        Some((self.ended(outcome, reason, now), Effect::Withdraw))
    }
}

/// When the device tries again: by how long it waits, if it says so, for its clock may be wrong.
fn waits_until(progress: &Progress, now: i64) -> Option<i64> {
    let wait_ms = progress.wait_ms.map(|wait_ms| i64::try_from(wait_ms).unwrap_or(i64::MAX));
    let until = wait_ms.map(|wait_ms| now.saturating_add(wait_ms)).or(progress.until);
    until.map(|until| until.min(now.saturating_add(WAIT_MAX_MS)))
}

#[cfg(test)]
mod tests;
