//! What is wished for, and how it may end.

use otaru_release::Behaviour;

use super::{BeforeWish, Event, Stop, WATCHED_MS, World};
use crate::catalogue::catalogue;
use crate::judge::Violation;
use crate::server::End;

impl<const UNIT: usize> World<UNIT> {
    pub(super) fn make_wish(&mut self) {
        let Some(wish) = self.life.wishes.get(self.next_wish).copied() else { return };
        self.next_wish += 1;
        self.may_arm = true;
        self.journal_writes = 0;
        self.before_wish = BeforeWish {
            crashes_of_trials: self.crashes_of_trials,
            spoilt_manifests: self.sky.spoilt_manifests,
        };
        let erases = self.erases();
        self.judge.wished(&erases);
        let release = &catalogue().releases[wish.release];
        self.must_be_refused = self.judge.must_refuse(release);
        self.may_be_refused = self.judge.may_refuse(release);
        let messages = self.server.wish(wish.release, self.now_ms);
        let session = self.session;
        self.say(session, messages);
        if let Some(after_ms) = wish.withdrawn_after_ms
            && let Some(open) = &self.server.open
        {
            let update = open.id.clone();
            self.later(after_ms, Event::Withdraw { update });
        }
    }

    fn erases(&mut self) -> Vec<u32> {
        match (&mut self.host, &self.chip) {
            (Some(host), _) => host.flash().erases().to_vec(),
            (None, Some(chip)) => chip.erases().to_vec(),
            (None, None) => Vec::new(),
        }
    }

    /// Looks whether the open update ended, and lets life go on.
    pub(super) fn update_ended(&mut self) -> Result<Option<Stop>, Violation> {
        let Some(end) = self.server.observe().cloned() else { return Ok(None) };
        self.ended(&end)
    }

    /// A day after a wish was taken back: a device that never knew of it has nothing to say.
    pub(super) fn expire(&mut self, update: &str) -> Result<Option<Stop>, Violation> {
        let Some(end) = self.server.expire(update) else { return Ok(None) };
        self.judge.expired(update)?;
        self.ended(&end)
    }

    pub(super) fn ended(&mut self, end: &End) -> Result<Option<Stop>, Violation> {
        let erases = self.erases();
        self.judge.ended(&erases)?;
        self.check_end(end)?;
        self.summary.journal_writes = self.summary.journal_writes.max(self.journal_writes);
        let wish = self.life.wishes.get(self.next_wish - 1);
        let lingers_ms = wish.map_or(0, |wish| wish.lingers_ms);
        self.later(lingers_ms, Event::Settle);
        if self.next_wish < self.life.wishes.len() {
            self.later(lingers_ms + 5_000, Event::Wish);
        } else {
            self.over_at_ms = Some(self.now_ms + lingers_ms + WATCHED_MS);
        }
        Ok(None)
    }

    /// No end may be better than the firmware is, nor worse than what happened to it.
    fn check_end(&self, end: &End) -> Result<(), Violation> {
        let release = &catalogue().releases[end.release];
        let passes = release.behaviour == Behaviour::Pass;
        // Two faults may cost time, and no update: power in two trials, two broken transfers.
        let outages = self.next_outage.min(self.life.outages.len());
        let must_be_right = self.crashes_of_trials == self.before_wish.crashes_of_trials
            && outages + (self.sky.count - self.sky.spoilt_patches) as usize <= 2
            && self.sky.spoilt_manifests == self.before_wish.spoilt_manifests
            && !self.judge.selector_rotted();
        let withdrawn = self
            .life
            .wishes
            .get(self.next_wish - 1)
            .is_some_and(|wish| wish.withdrawn_after_ms.is_some());
        let is_right = match end.outcome.as_str() {
            "failed" if self.may_be_refused => true,
            _ if self.must_be_refused => withdrawn && end.outcome == "cancelled",
            "confirmed" => passes,
            "rolled_back" => !passes || !must_be_right,
            "cancelled" => withdrawn,
            _ => !must_be_right,
        };
        if is_right {
            return Ok(());
        }
        Err(Violation { rule: "end", what: format!("{:?} ended {end:?}", release.behaviour) })
    }
}
