//! How an update begins, whoever decided it.

use otaru_fleet::{Effect, Input, Update};
use otaru_store::{DecidedBy, DeviceRow, PutOff, ReleaseRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{Phase, UpdateId};

use super::{When, advance, apply_effect, deadline, note, set_row, started};
use crate::audit::{self, Who};
use crate::{App, UpdateObject, downgrades, events};

/// How an update begins.
pub(crate) struct Start {
    pub(crate) decided_by: DecidedBy,
    pub(crate) requested_by: Option<String>,
    pub(crate) until_at: Option<i64>,
    pub(crate) put_off: Option<PutOff>,
}

impl Start {
    /// At once, for nobody in particular.
    pub(crate) fn by(decided_by: DecidedBy) -> Start {
        Start { decided_by, requested_by: None, until_at: None, put_off: None }
    }
}

/// Begins the record of an update; what is wished is the caller's.
pub(crate) fn begin(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    start: Start,
    now: i64,
) -> Result<UpdateRow, StoreError> {
    let Start { decided_by, requested_by, until_at, put_off } = start;
    // A clock that was set back must not make this one look older than the one before it.
    let newest = otaru_store::newest_update(tx, scope, &device.thing)?;
    let requested_at = newest.map_or(now, |newest| now.max(newest.update.requested_at + 1));
    let id = UpdateId::new(&uuid::Uuid::now_v7().to_string()).expect("a UUID is a valid id");
    let update = Update {
        id,
        version: release.version.clone(),
        sha256: release.sha256,
        plain: !device.agent && !device.sends_progress,
        phase: if until_at.is_some() { Phase::Deferred } else { Phase::Requested },
        outcome: None,
        reason: None,
        done_bytes: 0,
        total_bytes: release.size_bytes,
        attempt: 0,
        cancel_requested: false,
        requested_at,
        phase_at: now,
        bytes_at: now,
        downloading_at: None,
        told_at: None,
        until_at,
        ended_at: None,
    };
    let row = UpdateRow {
        update,
        organisation: scope.organisation().clone(),
        thing: device.thing.clone(),
        product: device.product.clone(),
        from_version: device.running_version.clone(),
        from_sha256: device.running_sha256,
        requested_by,
        decided_by: Some(decided_by),
        put_off,
        is_downgrade: downgrades::is_one(tx, scope, release)?,
    };
    let deadline_at = deadline(app, tx, scope, &row)?;
    otaru_store::insert_update(tx, scope, &row, deadline_at)?;
    note(tx, scope, None, &row.update, now)?;
    app.inner.live.forget(&device.thing);
    let object = UpdateObject::from(&row);
    let people = events::People::of(tx, device)?;
    events::emit(tx, scope, &people, "update_changed", &object, now)?;
    Ok(row)
}

/// Begins an update that nobody was asked about, or puts one off until the night.
pub(crate) fn begin_by_policy(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    when: When,
    now: i64,
) -> Result<UpdateRow, StoreError> {
    let until_at = when.until_at(device.time_zone.as_deref(), now);
    let start = Start { until_at, put_off: when.put_off(), ..Start::by(DecidedBy::Policy) };
    let row = begin(app, tx, scope, device, release, start, now)?;
    audit::note(tx, started(Who::server(scope), &row), now)?;
    set_row(tx, scope, device, Some(release.version.as_str()))?;
    if until_at.is_some() {
        return Ok(row);
    }
    match apply_effect(app, tx, scope, &row, Effect::Wish, now)? {
        Ok(()) => Ok(row),
        Err(_) => advance(app, tx, scope, row, &Input::WishRefused, now),
    }
}

/// Lets what was put off for later wait until the night instead.
pub(crate) fn put_off_until_night(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    row: UpdateRow,
    now: i64,
) -> Result<UpdateRow, StoreError> {
    let put_off = When::Tonight.put_off();
    otaru_store::set_update_put_off(tx, scope, &row.update.id, put_off)?;
    let until_at = When::Tonight.until_at(device.time_zone.as_deref(), now).unwrap_or(now);
    advance(app, tx, scope, UpdateRow { put_off, ..row }, &Input::PutOff { until_at }, now)
}
