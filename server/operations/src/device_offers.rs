//! The question on a device's own screen: what is offered stands in `desired.update_offer`, and
//! what somebody at the device decided in `reported.update_offer`.
//!
//! Written only for things that say they can show it, of products that let them, and taken out
//! of both sections when it is decided, so that no delta stays open.

use otaru_shadow::{Change, Document, UpdateRequest};
use otaru_store::{DecidedBy, DeviceRow, PutOff, ReleaseRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{
    Phase, ProductName, ReleaseVersion, ShadowId,
    payload::{FirmwareReport, OfferDecision, UpdateOffer},
};
use serde_json::{Map, Value, json};
use tracing::info;

use crate::audit::{self, Who};
use crate::{
    App, OperationError, When, offers,
    shadow_history::By,
    shadows,
    updates::{self, Decider, shadow_patch},
};

const MEMBER: &str = "update_offer";

/// Brings the device's shadow to what its screen should show now.
pub(crate) fn show(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    now: i64,
) -> Result<(), StoreError> {
    if !device.agent {
        return Ok(());
    }
    let shadow = ShadowId::classic(device.thing.clone());
    let Ok(current) = shadows::read(tx, scope, &shadow)? else { return Ok(()) };
    let wanted = shown(tx, scope, device, &current, now)?;
    let patch = patch_towards(&current, wanted.as_ref());
    if patch == json!({}) {
        return Ok(());
    }
    // Without room for it nothing is shown there; the owner's app asks all the same.
    shadow_patch(app, tx, scope, &device.thing, patch, By::Offer, now)?.ok();
    Ok(())
}

/// A release was yanked: screens that show it are looked at again, soon.
pub(crate) fn withdraw(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
    now: i64,
) -> Result<(), StoreError> {
    match otaru_store::product(tx, scope, product)? {
        Some(row) if row.consent.asks_on_device() => {
            otaru_store::look_again_at_offers(tx, scope, product, version, now)
        }
        _ => Ok(()),
    }
}

/// Takes what somebody at the device decided, if it is about what is offered there now.
pub(crate) fn take_decision(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    change: &Change<'_>,
    who: Who,
    now: i64,
) -> Result<(), StoreError> {
    if !decides(change.request) {
        return Ok(());
    }
    let answer = offer_in(change.current.reported());
    let Some(UpdateOffer { decision: Some(decision), .. }) = answer else { return Ok(()) };
    let offered = answer.map(UpdateOffer::undecided);
    // The rules have the last word: a newer release, a yank or an owner who left count.
    let shown = shown(tx, scope, device, change.current, now)?;
    let Some(offer) = shown.filter(|shown| Some(shown) == offered.as_ref()) else {
        return show(app, tx, scope, device, now);
    };
    let when = match decision {
        OfferDecision::Now => When::Now,
        OfferDecision::Later => When::Later,
        OfferDecision::Tonight => When::Tonight,
    };
    let since = device.owned_at.unwrap_or(0);
    let decider = Decider { decided_by: DecidedBy::Device, requested_by: None, since, who };
    match updates::decide_in(app, tx, scope, decider, device, &offer.version, when) {
        Ok(decided) => audit::note_if(tx, decided.entry, now),
        Err(OperationError::Store(error)) => Err(error),
        Err(refusal) => {
            info!(device.thing = %device.thing, %refusal, "Decision at a device was not taken");
            show(app, tx, scope, device, now)
        }
    }
}

/// Whether a request says something about an offer.
pub(crate) fn is_about_offer(reported: &Map<String, Value>) -> bool {
    reported.contains_key(MEMBER)
}

/// Whether a request brings a decision: one that is left from another offer is none on this.
fn decides(request: &UpdateRequest) -> bool {
    let offer = request.reported().and_then(|reported| reported.get(MEMBER));
    offer.and_then(|offer| offer.get("decision")).is_some_and(|decision| !decision.is_null())
}

/// What the device's screen should show: what its owner is asked about, and nobody decided yet.
fn shown(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    current: &Document,
    now: i64,
) -> Result<Option<UpdateOffer>, StoreError> {
    if device.owner.is_none() || !shows_offers(current) {
        return Ok(None);
    }
    let Some(product) = otaru_store::product(tx, scope, &device.product)? else { return Ok(None) };
    if !product.consent.asks_on_device() {
        return Ok(None);
    }
    let newest = otaru_store::newest_update(tx, scope, &device.thing)?;
    if newest.is_some_and(|row| row.update.is_open() && !is_asked_again(&row)) {
        return Ok(None);
    }
    let Some(offer) = otaru_store::offer(tx, scope, &device.thing)? else { return Ok(None) };
    let release = otaru_store::release(tx, scope, &device.product, &offer.version)?;
    let may_be = |release: &ReleaseRow| release.yanked_at.is_none() && release.is_trusted();
    let Some(release) = release.filter(may_be) else {
        return Ok(None);
    };
    let decision = offers::decide(tx, scope, device, &product, &release, now)?;
    let is_asked = matches!(decision, otaru_fleet::Decision::Ask { .. });
    Ok(is_asked.then(|| UpdateOffer {
        version: release.version.clone(),
        sha256: release.sha256,
        size: release.size_bytes,
        decision: None,
    }))
}

/// The day it was put off for is over.
fn is_asked_again(row: &UpdateRow) -> bool {
    row.update.phase == Phase::Deferred
        && row.put_off == Some(PutOff::Later)
        && row.update.until_at.is_none()
}

fn shows_offers(current: &Document) -> bool {
    let report = current.reported().get("firmware").map(FirmwareReport::from_value);
    report.is_some_and(|report| report.is_ok_and(|report| report.shows_offers))
}

fn offer_in(section: &Map<String, Value>) -> Option<UpdateOffer> {
    UpdateOffer::from_value(section.get(MEMBER)?).ok()
}

/// The smallest patch after which desired offers `wanted` and nothing else, and no decision is
/// left; empty when that is so.
fn patch_towards(current: &Document, wanted: Option<&UpdateOffer>) -> Value {
    let mut patch = json!({});
    let wanted = wanted.map_or(Value::Null, UpdateOffer::to_value);
    if current.desired().get(MEMBER).unwrap_or(&Value::Null) != &wanted {
        patch["desired"][MEMBER] = wanted.clone();
    }
    if wanted.is_null() && current.reported().contains_key(MEMBER) {
        patch["reported"][MEMBER] = Value::Null;
    } else if current.reported().get(MEMBER).is_some_and(|offer| offer.get("decision").is_some()) {
        patch["reported"][MEMBER]["decision"] = Value::Null;
    }
    patch
}
