//! Asking for an update, stopping it, and moving it along.

mod adopt;
mod begin;
mod history;
mod renew;
mod when;
mod wish;

use otaru_fleet::{Effect, Input, Permission, Update};
use otaru_store::{DecidedBy, DeviceRow, ReleaseRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{Phase, ProductName, Reason, ReleaseVersion, ThingName, UpdateId};
use tracing::warn;

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, OperationError, Page, PageRequest, Reach, Refusal, UpdateObject, devices,
    downgrades, events, offers, own_devices,
};
pub(crate) use adopt::{adopt_wish, forget_wish};
use begin::{Start, begin};
pub(crate) use begin::{begin_by_policy, put_off_until_night};
use history::note;
pub use history::trace_update;
pub(crate) use renew::renew_deadlines;
pub use when::When;
pub(crate) use wish::{apply_effect, set_row, shadow_patch};

/// Asks for a device's move to a release. Returns the record and whether it is new.
///
/// The user's row, the record and the shadow's desired state change together or not at all.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::ReleaseUnknown`], [`Refusal::ReleaseYanked`],
/// [`Refusal::ReleaseUntrusted`], [`Refusal::ReleaseOlder`], [`Refusal::ShadowRefused`],
/// [`Refusal::Forbidden`].
pub async fn request_update(
    app: &App,
    actor: &Actor,
    reach: Reach,
    thing: ThingName,
    version: ReleaseVersion,
    when: When,
) -> Result<(UpdateObject, bool), OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let device = devices::reachable(tx, &actor, reach, &thing, Permission::OperateDevices)?;
        let Decided { row, is_new, entry } =
            request_in(&app_, tx, &actor, reach, &device, &version, when)?;
        Ok::<_, OperationError>(((row, is_new), entry))
    };
    let (row, is_new) = app.inner.store.audited(work).await?;
    Ok((UpdateObject::from(&row), is_new))
}

/// The device's newest update.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::UpdateUnknown`], [`Refusal::Forbidden`].
pub async fn show_update(
    app: &App,
    actor: &Actor,
    reach: Reach,
    thing: ThingName,
) -> Result<UpdateObject, OperationError> {
    let (actor_, app_) = (actor.clone(), app.clone());
    let work = move |tx: &mut Tx<'_>| {
        let device = devices::reachable(tx, &actor_, reach, &thing, Permission::ReadFleet)?;
        let since = own_devices::since(tx, &actor_, reach, &device)?;
        let newest = otaru_store::newest_update(tx, &actor_.scope, &device.thing)?;
        let newest = newest.filter(|row| own_devices::may_see(since, &device, row));
        let newest = newest.ok_or_else(|| Refusal::UpdateUnknown(thing.to_string()))?;
        Ok::<_, OperationError>(app_.inner.live.overlay(newest))
    };
    Ok(UpdateObject::from(&app.inner.store.read(work).await?))
}

/// An update by its id.
///
/// # Errors
/// [`Refusal::UpdateUnknown`], [`Refusal::Forbidden`].
pub async fn find_update(
    app: &App,
    actor: &Actor,
    id: UpdateId,
) -> Result<UpdateObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, wanted) = (actor.scope.clone(), id.clone());
    let found = app.inner.store.read(move |tx| otaru_store::update(tx, &scope, &wanted)).await?;
    let row = found.ok_or_else(|| Refusal::NoSuchUpdate(id.to_string()))?;
    Ok(UpdateObject::from(&app.inner.live.overlay(row)))
}

/// Updates of the organisation, or of one device, newest first.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`], [`Refusal::InvalidCursor`].
pub async fn list_updates(
    app: &App,
    actor: &Actor,
    thing: Option<ThingName>,
    page: PageRequest,
) -> Result<Page<UpdateObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let limit = page.limit()?;
    // Ids begin with their time: the newest come first.
    let (scope, below) = (actor.scope.clone(), page.after()?);
    let rows = app
        .inner
        .store
        .read(move |tx| otaru_store::updates(tx, &scope, thing.as_ref(), Some(&below), limit))
        .await?;
    Ok(Page::of(
        rows,
        limit,
        |row| row.update.id.to_string(),
        |row| UpdateObject::from(&app.inner.live.overlay(row)),
    ))
}

/// Asks to stop the device's open update, or takes back the wish of one that vanished.
///
/// It ends at once if the device was not told yet or vanished, else when the device says so.
///
/// # Errors
/// [`Refusal::UpdateUnknown`], [`Refusal::UpdateEnded`], [`Refusal::TooLate`],
/// [`Refusal::DeviceUnknown`], [`Refusal::Forbidden`].
pub async fn cancel_update(
    app: &App,
    actor: &Actor,
    reach: Reach,
    thing: ThingName,
) -> Result<UpdateObject, OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let device = devices::reachable(tx, &actor, reach, &thing, Permission::OperateDevices)?;
        let since = own_devices::since(tx, &actor, reach, &device)?;
        let newest = otaru_store::newest_update(tx, &actor.scope, &device.thing)?;
        let newest = newest.filter(|row| own_devices::may_see(since, &device, row));
        let newest = newest.ok_or_else(|| Refusal::UpdateUnknown(thing.to_string()))?;
        if !newest.update.may_change() {
            return Err(Refusal::UpdateEnded.into());
        }
        if newest.update.is_open() && newest.update.is_past_cancelling() {
            return Err(Refusal::TooLate.into());
        }
        let input = Input::CancelRequested { reason: None };
        let now = app_.now_ms();
        let before = newest.clone();
        let row = advance(&app_, tx, &actor.scope, newest, &input, now)?;
        offers::ended(&app_, tx, &actor.scope, &row, now)?;
        let entry = cancelled(Who::of(&actor), &before, &row);
        Ok::<_, OperationError>((UpdateObject::from(&row), entry))
    };
    app.inner.store.audited(work).await
}

/// What is to be said of an update that somebody stopped, or asked to stop.
pub(crate) fn cancelled(who: Who, before: &UpdateRow, row: &UpdateRow) -> Option<Entry> {
    let did = who.did("update.cancel", Object::device(&row.thing));
    did.changed(&UpdateObject::from(before), &UpdateObject::from(row))
}

/// What is to be said of an update that goes another way than it did.
pub(crate) fn set(who: Who, before: &UpdateRow, row: &UpdateRow) -> Option<Entry> {
    let did = who.did("update.set", Object::device(&row.thing));
    did.changed(&UpdateObject::from(before), &UpdateObject::from(row))
}

/// What is to be said of an update that somebody began.
pub(crate) fn started(who: Who, row: &UpdateRow) -> Entry {
    who.did("update.start", Object::device(&row.thing)).made(&UpdateObject::from(row))
}

/// Everything of [`request_update`] that happens in its transaction.
pub(crate) fn request_in(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &Actor,
    reach: Reach,
    device: &DeviceRow,
    version: &ReleaseVersion,
    when: When,
) -> Result<Decided, OperationError> {
    let decided_by = match reach {
        Reach::Own => DecidedBy::Owner,
        Reach::Fleet => DecidedBy::Operator,
    };
    let since = own_devices::since(tx, actor, reach, device)?;
    let who = Who::of(actor);
    let decider = Decider { decided_by, requested_by: actor.user.clone(), since, who };
    decide_in(app, tx, &actor.scope, decider, device, version, when)
}

/// Who wants an update, once it is known that they may.
pub(crate) struct Decider {
    pub(crate) decided_by: DecidedBy,
    pub(crate) requested_by: Option<String>,
    /// Since when they may know what happened to the device.
    pub(crate) since: i64,
    /// As the audit log says it.
    pub(crate) who: Who,
}

/// What came of a decision.
pub(crate) struct Decided {
    pub(crate) row: UpdateRow,
    /// Whether it began with it.
    pub(crate) is_new: bool,
    /// What is to be said of it.
    pub(crate) entry: Option<Entry>,
}

/// A decision about a device's move to a release, whoever made it.
pub(crate) fn decide_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    decider: Decider,
    device: &DeviceRow,
    version: &ReleaseVersion,
    when: When,
) -> Result<Decided, OperationError> {
    devices::in_service(device)?;
    let now = app.now_ms();
    let until_at = when.until_at(device.time_zone.as_deref(), now);
    let open = newest_open(tx, scope, &device.thing)?;
    let Decider { decided_by, requested_by, since, who } = decider;
    let known = open.as_ref().filter(|open| own_devices::may_see(since, device, open));
    // One that is being cancelled is not what is asked for: its end is its own.
    if let Some(same) = known.filter(|open| is_same(open, version)) {
        let row = put_forward(app, tx, scope, same.clone(), when, until_at, now)?;
        if let Some(release) = otaru_store::release(tx, scope, &device.product, version)? {
            offers::decided(app, tx, scope, device, &release, when, now)?;
        }
        let did = who.did("update.set", Object::device(&device.thing));
        let entry = did.changed(&UpdateObject::from(same), &UpdateObject::from(&row));
        return Ok(Decided { row, is_new: false, entry });
    }
    let release = installable(tx, scope, device, version)?;
    // Older software on purpose is nothing a home should find by itself.
    if decided_by != DecidedBy::Operator && downgrades::is_one(tx, scope, &release)? {
        return Err(Refusal::DowngradeNeedsOperator(version.to_string()).into());
    }
    if let Some(known) = known {
        let running = rank_of(tx, scope, &device.product, &known.update.version)?;
        if release.sequence < running {
            return Err(older(version, &known.update.version));
        }
    }
    if let Some(open) = open {
        let old = advance(app, tx, scope, open, &Input::Superseded, now)?;
        if until_at.is_some() {
            // The old wish must not go on while the new one waits.
            apply_effect(app, tx, scope, &old, Effect::Withdraw, now)?
                .map_err(|rejection| Refusal::shadow(&device.thing, &rejection))?;
        }
    }
    let start = Start { decided_by, requested_by, until_at, put_off: when.put_off() };
    let row = begin(app, tx, scope, device, &release, start, now)?;
    if until_at.is_none()
        && let Err(rejection) = apply_effect(app, tx, scope, &row, Effect::Wish, now)?
    {
        return match decided_by {
            // Nobody waits for an answer: an end with a reason stands where they can read it.
            DecidedBy::Device => {
                let row = advance(app, tx, scope, row, &Input::WishRefused, now)?;
                let entry = Some(started(who, &row));
                Ok(Decided { row, is_new: true, entry })
            }
            _ => Err(Refusal::shadow(&device.thing, &rejection).into()),
        };
    }
    set_row(tx, scope, device, Some(version.as_str()))?;
    offers::decided(app, tx, scope, device, &release, when, now)?;
    let entry = Some(started(who, &row));
    Ok(Decided { row, is_new: true, entry })
}

/// Lets `input` move an update, with all that follows from it, and returns where it is now.
pub(crate) fn advance(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: UpdateRow,
    input: &Input<'_>,
    now: i64,
) -> Result<UpdateRow, StoreError> {
    let Some((update, effect)) = row.update.step(input, now) else { return Ok(row) };
    let before = row.update.clone();
    let row = UpdateRow { update, ..row };
    save(app, tx, scope, &row)?;
    note(tx, scope, Some(&before), &row.update, now)?;
    app.inner.live.forget(&row.thing);
    let written = apply_effect(app, tx, scope, &row, effect, now)?;
    announce(tx, scope, &before, &row, now)?;
    let Err(rejection) = written else { return Ok(row) };
    warn!(device.thing = %row.thing, shadow.rejection = rejection.message, "Shadow refused a wish");
    // Nobody will tell the device: better an end with a reason than waiting for ever. What
    // else a step writes only tidies up after an update, which ends in any case.
    if effect == Effect::Wish {
        advance(app, tx, scope, row, &Input::WishRefused, now)
    } else {
        Ok(row)
    }
}

/// Lets `input` correct the record of an update that is not the newest; what is wished
/// belongs to the newest.
pub(crate) fn learn(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: UpdateRow,
    input: &Input<'_>,
    now: i64,
) -> Result<(), StoreError> {
    let Some((update, _)) = row.update.step(input, now) else { return Ok(()) };
    let before = row.update.clone();
    let row = UpdateRow { update, ..row };
    save(app, tx, scope, &row)?;
    note(tx, scope, Some(&before), &row.update, now)?;
    announce(tx, scope, &before, &row, now)
}

/// Whether this update already is what somebody asks for.
fn is_same(open: &UpdateRow, version: &ReleaseVersion) -> bool {
    open.update.version == *version && !open.update.cancel_requested
}

/// The device's newest update, if it has not ended.
pub(crate) fn newest_open(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Option<UpdateRow>, StoreError> {
    let newest = otaru_store::newest_update(tx, scope, thing)?;
    Ok(newest.filter(|row| row.update.is_open()))
}

/// The release, if this device can move to it.
fn installable(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    version: &ReleaseVersion,
) -> Result<ReleaseRow, OperationError> {
    let release = otaru_store::release(tx, scope, &device.product, version)?;
    let release = release.ok_or_else(|| Refusal::ReleaseUnknown {
        product: device.product.to_string(),
        version: version.to_string(),
    })?;
    if release.yanked_at.is_some() {
        return Err(Refusal::ReleaseYanked(version.to_string()).into());
    }
    if !release.is_trusted() {
        return Err(Refusal::untrusted(&release).into());
    }
    let running = devices::running_release(tx, scope, device)?;
    match running {
        Some(running) if running.rank() >= release.sequence => {
            Err(older(version, &running.version))
        }
        _ => Ok(release),
    }
}

fn older(version: &ReleaseVersion, than: &ReleaseVersion) -> OperationError {
    Refusal::ReleaseOlder { version: version.to_string(), than: than.to_string() }.into()
}

fn rank_of(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<u64, StoreError> {
    let release = otaru_store::release(tx, scope, product, version)?;
    Ok(release.map_or(0, |release| release.rank()))
}

/// The same version was asked for again: an update put off begins, or waits until another
/// time; one that has begun goes on.
fn put_forward(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    open: UpdateRow,
    when: When,
    until_at: Option<i64>,
    now: i64,
) -> Result<UpdateRow, OperationError> {
    let input = until_at.map_or(Input::Due, |until_at| Input::PutOff { until_at });
    let put_off = when.put_off();
    let open = if open.update.phase == Phase::Deferred && open.put_off != put_off {
        otaru_store::set_update_put_off(tx, scope, &open.update.id, put_off)?;
        UpdateRow { put_off, ..open }
    } else {
        open
    };
    let row = advance(app, tx, scope, open, &input, now)?;
    if row.update.reason == Some(Reason::ShadowFull) {
        let detail = "it has no room for the wish; delete what is not needed from it".to_owned();
        return Err(Refusal::ShadowRefused { thing: row.thing.to_string(), detail }.into());
    }
    Ok(row)
}

/// When silence ends (or, deferred, starts) the update.
pub(crate) fn deadline(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &UpdateRow,
) -> Result<Option<i64>, StoreError> {
    let product = otaru_store::product(tx, scope, &row.product)?;
    let started_at = app.inner.started_at;
    Ok(product.and_then(|product| row.update.deadline_since(&product.limits, started_at)))
}

/// Stores where the update is, with its deadline.
pub(crate) fn save(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &UpdateRow,
) -> Result<(), StoreError> {
    let deadline_at = deadline(app, tx, scope, row)?;
    otaru_store::put_update(tx, scope, &row.update, deadline_at)
}

/// Tells the owner and the fleet, with an id when a phase or the outcome changed.
fn announce(
    tx: &mut Tx<'_>,
    scope: &Scope,
    before: &Update,
    row: &UpdateRow,
    now: i64,
) -> Result<(), StoreError> {
    let device = otaru_store::device(tx, scope, &row.thing)?;
    let people = match &device {
        Some(device) => events::People::of_update(tx, device, row)?,
        None => events::People::default(),
    };
    let after = &row.update;
    let object = UpdateObject::from(row);
    if !after.is_open() {
        return events::emit(tx, scope, &people, "update_finished", &object, now);
    }
    let same = (before.phase, before.outcome, before.attempt, before.cancel_requested)
        == (after.phase, after.outcome, after.attempt, after.cancel_requested)
        && (after.phase != Phase::Deferred || before.until_at == after.until_at);
    if same {
        events::tick_after_commit(tx, scope, people, "update_changed", &object);
        return Ok(());
    }
    events::emit(tx, scope, &people, "update_changed", &object, now)
}
