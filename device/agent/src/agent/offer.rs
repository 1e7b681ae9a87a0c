//! The question on the device's own screen: what the server offers, and what somebody at the
//! device decided about it.
//!
//! Nothing here is worth a flash write: an offer is read again after every boot, and somebody
//! whose answer was lost with the power is simply asked again.

use otaru_wire::ReleaseVersion;
use otaru_wire::payload::{OfferDecision, UpdateOffer};
use serde_json::Value;

use super::Agent;
use super::link::Link;
use crate::Effect;

/// What is on the screen.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    /// The release offered.
    offer: Option<UpdateOffer>,
    /// What was decided about it.
    decision: Option<OfferDecision>,
}

impl Agent {
    /// Shows what desired offers, if that is something else than what is shown.
    pub(super) fn follow_offer(&mut self) {
        if self.link != Link::Up || !self.config.shows_offers {
            return;
        }
        let offer = self.shadow.wish.offer.clone();
        if offer != self.screen.offer {
            self.screen = Screen { offer: offer.clone(), decision: None };
            self.effects.push(Effect::ShowOffer(offer));
        }
    }

    /// A decision about anything but what is offered now comes too late.
    pub(super) fn offer_decided(&mut self, version: &ReleaseVersion, decision: OfferDecision) {
        let offer = self.screen.offer.as_ref();
        if offer.is_some_and(|offer| offer.version == *version) {
            self.screen.decision = Some(decision);
        }
    }

    /// What `reported.update_offer` has to say: the echo closes the delta.
    pub(super) fn offer_echo(&self) -> Value {
        let decision = self.screen.decision;
        let offer = self.screen.offer.clone();
        offer.map_or(Value::Null, |offer| UpdateOffer { decision, ..offer }.to_value())
    }
}
