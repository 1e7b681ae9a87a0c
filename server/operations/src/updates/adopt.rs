//! Wishes that somebody else than an operation wrote into desired, or took out of it.

use otaru_fleet::{Effect, Input};
use otaru_shadow::Document;
use otaru_store::{DecidedBy, DeviceRow, ReleaseRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{Phase, ReleaseVersion, ThingName};

use super::{
    Start, advance, apply_effect, begin, cancelled, installable, is_same, newest_open, set,
    set_row, started,
};
use crate::audit::{self, Who};
use crate::{
    App, OperationError, device_offers, downgrades, reports::firmware_version,
    shadow_history::Writer,
};

/// Somebody wrote or removed the version in desired: the update it asks for gets a record,
/// so that it has a clock and an end like any other; the one it no longer asks for is
/// cancelled.
pub(crate) fn adopt_wish(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: Who,
    device: &DeviceRow,
    current: &Document,
    now: i64,
) -> Result<(), StoreError> {
    let open = newest_open(tx, scope, &device.thing)?;
    let wish = firmware_version(current.desired());
    let Some(release) = adoptable(tx, scope, device, wish)? else {
        return take_back(app, tx, scope, who, open, wish, now);
    };
    if let Some(open) = open {
        if is_same(&open, &release.version) {
            let before = open.clone();
            let row = advance(app, tx, scope, open, &Input::Due, now)?;
            return audit::note_if(tx, set(who, &before, &row), now);
        }
        advance(app, tx, scope, open, &Input::Superseded, now)?;
    }
    let row = begin(app, tx, scope, device, &release, Start::by(DecidedBy::Backend), now)?;
    audit::note(tx, started(who, &row), now)?;
    otaru_store::remove_offer(tx, scope, &device.thing)?;
    device_offers::show(app, tx, scope, device, now)?;
    // A plain client was told by what was written just now.
    if device.agent {
        // Without the id it is told by the version alone, as the backend wrote it.
        apply_effect(app, tx, scope, &row, Effect::Wish, now)?.ok();
    }
    set_row(tx, scope, device, Some(release.version.as_str()))
}

/// The shadow was deleted, and every wish with it.
pub(crate) fn forget_wish(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    writer: &Writer,
    now: i64,
) -> Result<(), StoreError> {
    let open = newest_open(tx, scope, thing)?;
    take_back(app, tx, scope, Who::behind(writer, scope, thing), open, None, now)
}

/// Cancels the update that desired no longer names; one put off was not named yet.
fn take_back(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: Who,
    open: Option<UpdateRow>,
    wish: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    match open {
        Some(open)
            if open.update.phase != Phase::Deferred
                && wish != Some(open.update.version.as_str()) =>
        {
            let (input, before) = (Input::CancelRequested { reason: None }, open.clone());
            let row = advance(app, tx, scope, open, &input, now)?;
            audit::note_if(tx, cancelled(who, &before, &row), now)
        }
        _ => Ok(()),
    }
}

/// The release that a version in desired asks for, if this device can move to it: one that is out
/// of service would never say that it did.
fn adoptable(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    wish: Option<&str>,
) -> Result<Option<ReleaseRow>, StoreError> {
    if device.decommissioned_at.is_some() {
        return Ok(None);
    }
    let Some(Ok(version)) = wish.map(ReleaseVersion::new) else { return Ok(None) };
    match installable(tx, scope, device, &version) {
        Ok(release) if downgrades::is_one(tx, scope, &release)? => Ok(None),
        Ok(release) => Ok(Some(release)),
        Err(OperationError::Store(error)) => Err(error),
        // The device will refuse it too: there is nothing to follow.
        Err(_) => Ok(None),
    }
}
