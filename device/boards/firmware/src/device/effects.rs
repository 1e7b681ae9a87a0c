//! Carrying out what the agent asks for.

use alloc::string::String;
use alloc::vec::Vec;

use otaru_agent::{Delivery, Effect, Input};
use otaru_host::Carried;
use otaru_wire::ShadowId;

use super::{Device, Failure, Job};
use crate::board::Board;
use crate::session::Say;

impl<B: Board> Device<B> {
    /// Behind a restart or a failure nothing is carried out any more.
    pub(super) fn carry_out(&mut self, effect: Effect<'_>, carried: &mut Result<(), Failure>) {
        if carried.is_ok() && !self.is_restarting {
            *carried = self.carry_out_one(effect);
        }
    }

    fn carry_out_one(&mut self, effect: Effect<'_>) -> Result<(), Failure> {
        match self.host.carry_out(effect)? {
            Carried::Done => {}
            Carried::NotKept(reason) => self.complain(reason),
            Carried::Answer(answer) => self.answers.push_back(answer.into()),
            Carried::Restart => self.is_restarting = true,
            Carried::Outside(effect) => self.carry_outside(effect),
        }
        Ok(())
    }

    fn carry_outside(&mut self, effect: Effect<'_>) {
        match effect {
            Effect::Subscribe(topics) => {
                let shadow = ShadowId::classic(self.net.identity.thing.clone());
                let topics: Vec<String> =
                    topics.iter().map(|topic| shadow.topic_pieces(*topic).concat()).collect();
                self.say(Say::Subscribe(topics));
            }
            Effect::Publish { topic, payload, delivery } => {
                let at_least_once = delivery == Delivery::AtLeastOnce;
                let topic = topic.pieces(&self.net.identity.namespace).concat();
                let mut bytes = Vec::with_capacity(payload.len_bytes());
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                self.say(Say::Publish { topic, payload: bytes, at_least_once });
            }
            Effect::Disconnect => self.say(Say::Disconnect),
            Effect::CheckManifest(wanted) => {
                self.stop();
                self.checked = None;
                self.job = Some(Job::Check(wanted));
            }
            Effect::CheckTrust => self.wants_watch = true,
            Effect::Download { target, from_start } => {
                self.job = Some(Job::Download { target, from_start });
            }
            Effect::StopTransfer => {
                self.stop();
                self.answers.retain(|answer| {
                    use Input::{BytesRead, ProductDecided, SlotVerified};
                    !matches!(answer, SlotVerified(_) | BytesRead { .. } | ProductDecided(_))
                });
            }
            Effect::AskProduct(question) => {
                let decision = self.board.decide(&question);
                self.answers.push_back(Input::ProductDecided(decision));
            }
            Effect::ShowOffer(offer) => self.board.show_offer(offer.as_ref()),
            Effect::RunSelfTest => self.job = Some(Job::SelfTest),
            Effect::ApplySetting { id, name, value } => {
                let taken = self.board.apply_setting(name, value);
                self.answers.push_back(match taken {
                    true => Input::SettingApplied(id),
                    false => Input::SettingRefused(id),
                });
            }
            Effect::RestoreSetting { name, value } => {
                if !self.board.apply_setting(name, value) {
                    self.answers.push_back(Input::RestoreRefused);
                }
            }
            Effect::Log(line) => self.board.log(&line),
            // The host's own: it hands none of them on.
            Effect::SaveJournal(_)
            | Effect::SaveSettings(_)
            | Effect::AdoptManifest(_)
            | Effect::RaiseFloor(_)
            | Effect::VerifySlot(_)
            | Effect::ArmTrialBoot(_)
            | Effect::ConfirmSlot
            | Effect::RollBack
            | Effect::Restart => {}
        }
    }

    fn say(&mut self, say: Say) {
        self.lines.say(say);
    }

    fn stop(&mut self) {
        self.job = None;
        self.is_stopped = true;
    }
}
