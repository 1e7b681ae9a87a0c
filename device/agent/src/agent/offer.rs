//! The question on the device's own screen: what the server offers, and what somebody at the
//! device decided about it.
//!
//! Nothing here is worth a flash write: an offer is read again after every boot, and somebody
//! whose answer was lost with the power is simply asked again.

use otaru_wire::ReleaseVersion;
use otaru_wire::payload::{OfferDecision, UpdateOffer};

use super::Step;
use super::link::Link;
use crate::Effect;

/// What is on the screen.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    /// The release offered.
    pub(super) offer: Option<UpdateOffer>,
    /// What was decided about it.
    pub(super) decision: Option<OfferDecision>,
}

impl Step<'_> {
    /// Shows what desired offers, if that is something else than what is shown.
    pub(super) fn follow_offer(&mut self) {
        if self.agent.link != Link::Up || !self.agent.config.shows_offers {
            return;
        }
        let offer = self.agent.shadow.wish.offer.clone();
        if offer != self.agent.screen.offer {
            self.agent.screen = Screen { offer: offer.clone(), decision: None };
            (self.out)(Effect::ShowOffer(offer));
        }
    }

    /// A decision about anything but what is offered now comes too late.
    pub(super) fn offer_decided(&mut self, version: &ReleaseVersion, decision: OfferDecision) {
        let offer = self.agent.screen.offer.as_ref();
        if offer.is_some_and(|offer| offer.version == *version) {
            self.agent.screen.decision = Some(decision);
        }
    }
}
