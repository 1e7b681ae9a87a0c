//! Everything that can happen, with what of its content makes a difference.

use alloc::string::ToString;
use alloc::vec::Vec;

use otaru_wire::payload::{OfferDecision, TrustReport};
use otaru_wire::{Reason, ShadowTopic, ShadowVerb};
use serde_json::{Value, json};

use super::super::flash::{image, target, version};
use super::names;
use crate::{Decision, Fault, Hold, Input, SettingId, Target};

names! {
    /// An input without its content.
    name, NAMES, Input<'_>:
    Input::LinkUp => "LinkUp",
    Input::LinkDown => "LinkDown",
    Input::Subscribed => "Subscribed",
    Input::ShadowArrived { .. } => "ShadowArrived",
    Input::TimePassed => "TimePassed",
    Input::ManifestChecked(_) => "ManifestChecked",
    Input::TrustChecked(_) => "TrustChecked",
    Input::BytesRead { .. } => "BytesRead",
    Input::DownloadEnded(_) => "DownloadEnded",
    Input::ProductDecided(_) => "ProductDecided",
    Input::OfferDecided { .. } => "OfferDecided",
    Input::DecisionChanged => "DecisionChanged",
    Input::SlotVerified(_) => "SlotVerified",
    Input::TrialBootArmed(_) => "TrialBootArmed",
    Input::SelfTestEnded(_) => "SelfTestEnded",
    Input::SlotConfirmed(_) => "SlotConfirmed",
    Input::RollBackFailed(_) => "RollBackFailed",
    Input::SettingApplied(_) => "SettingApplied",
    Input::SettingRefused(_) => "SettingRefused",
    Input::RestoreRefused => "RestoreRefused",
}

/// An input under the name the page has for it.
pub(super) struct Tried {
    pub(super) name: &'static str,
    pub(super) input: Input<'static>,
    /// How long after the phase began.
    pub(super) after_ms: u64,
}

fn tried(name: &'static str, input: Input<'static>) -> Tried {
    Tried { name, input, after_ms: 1 }
}

/// Longer than any phase lasts by itself.
const LATER_MS: u64 = 7_200_000;

/// What the shadow may name, by a read: the first of [`inputs`].
pub(super) const WISHES: [&str; 4] =
    ["wish for 1.0.5", "wish for 1.0.5, asked anew", "wish for 1.0.6", NO_WISH];

/// The wish of a shadow that names what runs, or of none.
pub(super) const NO_WISH: &str = "no wish for anything but what runs";

/// An answer to a read, for which a session is needed as for a wish.
pub(super) const REFUSED: &str = "a read is refused with 500";

const READ: ShadowTopic = ShadowTopic::Accepted(ShadowVerb::Get);

fn desired(release: &str, update: &str) -> Value {
    let sha256 = image(&version(release));
    let update = json!({"id": update, "sha256": sha256, "attempt": 1});
    json!({"config": {"firmware_version": release}, "update": update})
}

fn wishes() -> [Value; 4] {
    let no_other = json!({"config": {"firmware_version": "1.0.4"}});
    [desired("1.0.5", "u-1"), desired("1.0.5", "u-2"), desired("1.0.6", "u-3"), no_other]
}

fn message(topic: ShadowTopic, message: &Value) -> Input<'static> {
    Input::ShadowArrived { topic, payload: message.to_string().into_bytes().leak() }
}

fn document(desired: &Value) -> Value {
    json!({"state": {"desired": desired}, "version": 1000})
}

/// The same wishes by other messages than the answer to a read, and messages that name none.
/// Each beside the wish it is as good as.
pub(super) fn by_other_messages() -> Vec<(Tried, &'static str)> {
    let mut others = Vec::new();
    for (name, desired) in WISHES.into_iter().zip(wishes()) {
        let published = json!({"current": document(&desired)});
        others.push((tried("a document", message(ShadowTopic::Documents, &published)), name));
        // What a delta leaves out may be equal, or gone: that has to be read.
        if desired.get("update").is_some() {
            let delta = json!({"state": desired, "version": 1000});
            others.push((tried("a delta", message(ShadowTopic::Delta, &delta)), name));
        }
    }
    let refused = json!({"code": 500, "message": "trouble"});
    let taken = json!({"state": {"reported": {"config": {"volume": 3}}}, "version": 1000});
    for (topic, content) in [
        (ShadowTopic::Rejected(ShadowVerb::Update), &refused),
        (ShadowTopic::Accepted(ShadowVerb::Update), &taken),
        (ShadowTopic::Accepted(ShadowVerb::Delete), &json!({"version": 1000})),
    ] {
        others.push((tried("an answer", message(topic, content)), "nothing"));
    }
    others
}

/// An answer to a read that says that there is no shadow.
pub(super) fn no_shadow() -> Tried {
    let absent = json!({"code": 404, "message": "No shadow exists"});
    tried("no shadow", message(ShadowTopic::Rejected(ShadowVerb::Get), &absent))
}

/// Everything that can happen. The service answers the report, or read, of that token.
pub(super) fn inputs(report_token: &str) -> Vec<Tried> {
    let wishes = WISHES.into_iter().zip(wishes());
    let wishes = wishes.map(|(name, desired)| tried(name, message(READ, &document(&desired))));
    let refusal = json!({"code": 400, "message": "refused", "clientToken": report_token});
    let refusal = message(ShadowTopic::Rejected(ShadowVerb::Update), &refusal);
    let runs = Target { sha256: image(&version("1.0.4")), ..target(&version("1.0.5")) };
    let trouble = json!({"code": 500, "message": "trouble", "clientToken": report_token});
    let trouble = message(ShadowTopic::Rejected(ShadowVerb::Get), &trouble);
    let fault = Fault::from;
    let later = Decision::Later { wait_ms: 9, hold: Hold::LowBattery };
    let trust = TrustReport { root: 2, timestamp: None, reason: Some(Reason::RootMissing) };
    let offer = Input::OfferDecided { version: version("1.0.5"), decision: OfferDecision::Now };
    let setting = SettingId::from_number(1);
    wishes
        .chain([
            tried(REFUSED, trouble),
            tried("the report is refused for good", refusal),
            tried("LinkUp", Input::LinkUp),
            tried("LinkDown", Input::LinkDown),
            tried("Subscribed", Input::Subscribed),
            tried("ManifestChecked(ok)", Input::ManifestChecked(Ok(target(&version("1.0.5"))))),
            tried("ManifestChecked(ok, the image that runs)", Input::ManifestChecked(Ok(runs))),
            tried(
                "ManifestChecked(server error)",
                Input::ManifestChecked(Err(fault(Reason::ServerError))),
            ),
            tried(
                "ManifestChecked(not found)",
                Input::ManifestChecked(Err(fault(Reason::ReleaseNotFound))),
            ),
            tried(
                "ManifestChecked(untrusted)",
                Input::ManifestChecked(Err(fault(Reason::ManifestUntrusted))),
            ),
            tried("ProductDecided(now)", Input::ProductDecided(Decision::Now)),
            tried("ProductDecided(later)", Input::ProductDecided(later)),
            tried("ProductDecided(refuse)", Input::ProductDecided(Decision::Refuse)),
            tried("BytesRead", Input::BytesRead { done: 900 }),
            tried("DownloadEnded(ok)", Input::DownloadEnded(Ok(()))),
            tried(
                "DownloadEnded(server error)",
                Input::DownloadEnded(Err(fault(Reason::ServerError))),
            ),
            tried("DownloadEnded(gone)", Input::DownloadEnded(Err(fault(Reason::ReleaseGone)))),
            tried("SlotVerified(ok)", Input::SlotVerified(Ok(()))),
            tried("SlotVerified(mismatch)", Input::SlotVerified(Err(Reason::DigestMismatch))),
            tried("TrialBootArmed(ok)", Input::TrialBootArmed(Ok(()))),
            tried("TrialBootArmed(flash failed)", Input::TrialBootArmed(Err(Reason::FlashFailed))),
            tried("SelfTestEnded(ok)", Input::SelfTestEnded(Ok(()))),
            tried("SelfTestEnded(failed)", Input::SelfTestEnded(Err(Reason::SelfTestFailed))),
            tried("SlotConfirmed(ok)", Input::SlotConfirmed(Ok(()))),
            tried("SlotConfirmed(flash failed)", Input::SlotConfirmed(Err(Reason::FlashFailed))),
            tried("RollBackFailed", Input::RollBackFailed(Reason::FlashFailed)),
            tried("DecisionChanged", Input::DecisionChanged),
            tried("TimePassed, too soon", Input::TimePassed),
            Tried { after_ms: LATER_MS, ..tried("TimePassed, it is time", Input::TimePassed) },
            tried("TrustChecked", Input::TrustChecked(trust)),
            tried("OfferDecided", offer),
            tried("SettingApplied", Input::SettingApplied(setting)),
            tried("SettingRefused", Input::SettingRefused(setting)),
            tried("RestoreRefused", Input::RestoreRefused),
        ])
        .collect()
}
