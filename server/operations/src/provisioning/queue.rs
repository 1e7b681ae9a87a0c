//! What operators decide about devices that want to be things.

use otaru_fleet::Permission;
use otaru_store::{DeviceRow, ProvisioningRow, ProvisioningState, Tx};
use otaru_wire::ThingName;
use serde_json::json;

use super::{WAITING_MS, changed, register, still_waits, templates};
use crate::audit::{Object, Who};
use crate::{
    Actor, App, DeviceObject, OperationError, Page, PageRequest, ProvisioningObject, Reach,
    Refusal, devices, objects,
};

/// How long another key may take a device's name once an operator has allowed it.
const REPROVISION_MS: i64 = 7 * 24 * 3_600_000;

/// Devices that wait for approval, the oldest first.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`], [`Refusal::InvalidCursor`].
pub async fn list_provisioning_queue(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<ProvisioningObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let since = app.now_ms() - WAITING_MS;
    let work =
        move |tx: &mut Tx<'_>| otaru_store::waiting_provisionings(tx, &scope, since, &after, limit);
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.id.clone(), |row| ProvisioningObject::from(&row)))
}

/// Lets a device in that waits: its certificate works from now on. One that was let in is said
/// again.
///
/// # Errors
/// [`Refusal::ProvisioningUnknown`], [`Refusal::ProvisioningDecided`],
/// [`Refusal::ThingNameTaken`], [`Refusal::DeviceDecommissioned`], [`Refusal::Forbidden`].
pub async fn approve_provisioning(
    app: &App,
    actor: &Actor,
    id: String,
) -> Result<DeviceObject, OperationError> {
    actor.require(Permission::OperateDevices)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        if let Some(device) = approved(tx, &actor, &id)? {
            return Ok((DeviceObject::from(&device), None));
        }
        let (row, thing) = waiting(tx, &actor, &id, now)?;
        still_free(tx, &actor, &row, &thing)?;
        let template = templates::known(tx, &actor.scope, &row.template)?;
        let before = ProvisioningObject::from(&row);
        let device = register::activate(tx, &actor.scope, &template.product, &row, &thing, now)?;
        let row = decide(tx, &actor, row, ProvisioningState::Active, now)?;
        let did = Who::of(&actor).did("provisioning.approve", Object::device(&thing));
        let entry = did.changed(&before, &ProvisioningObject::from(&row));
        Ok::<_, OperationError>((DeviceObject::from(&device), entry))
    };
    app.inner.store.audited(work).await
}

/// Turns a device away that waits: its certificate will never work, nor another for its key by the
/// same template.
///
/// # Errors
/// [`Refusal::ProvisioningUnknown`], [`Refusal::ProvisioningDecided`], [`Refusal::Forbidden`].
pub async fn reject_provisioning(
    app: &App,
    actor: &Actor,
    id: String,
) -> Result<(), OperationError> {
    actor.require(Permission::OperateDevices)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let (row, thing) = waiting(tx, &actor, &id, now)?;
        let before = ProvisioningObject::from(&row);
        let row = decide(tx, &actor, row, ProvisioningState::Rejected, now)?;
        let did = Who::of(&actor).did("provisioning.reject", Object::device(&thing));
        Ok::<_, OperationError>(((), did.changed(&before, &ProvisioningObject::from(&row))))
    };
    app.inner.store.audited(work).await
}

/// Lets another key take a device's name by provisioning, once within a week.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::DeviceDecommissioned`], [`Refusal::Forbidden`].
pub async fn allow_reprovisioning(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<(), OperationError> {
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let fleet = Reach::Fleet;
        let device = devices::reachable(tx, &actor, fleet, &thing, Permission::OperateDevices)?;
        devices::in_service(&device)?;
        let until = now + REPROVISION_MS;
        otaru_store::allow_reprovisioning(tx, &actor.scope, &thing, until)?;
        let did = Who::of(&actor).did("device.allow_reprovisioning", Object::device(&thing));
        Ok::<_, OperationError>(((), did.made(&json!({ "until": until }))))
    };
    app.inner.store.audited(work).await
}

/// Refuses where somebody registered the name since the device asked for it: what was allowed then
/// was not to take this one's place.
fn still_free(
    tx: &mut Tx<'_>,
    actor: &Actor,
    row: &ProvisioningRow,
    thing: &ThingName,
) -> Result<(), OperationError> {
    let device = otaru_store::device(tx, &actor.scope, thing)?;
    let is_newer =
        |device: &DeviceRow| row.provisioned_at.is_some_and(|at| device.created_at >= at);
    match device.filter(is_newer) {
        Some(_) => Err(Refusal::ThingNameTaken(thing.to_string()).into()),
        None => Ok(()),
    }
}

/// The device that was approved of before, by somebody whose answer was lost, or by two at once.
fn approved(tx: &mut Tx<'_>, actor: &Actor, id: &str) -> Result<Option<DeviceRow>, OperationError> {
    let row = otaru_store::provisioning(tx, &actor.scope, id)?;
    let row = row.filter(|row| row.state == ProvisioningState::Active && row.decided_at.is_some());
    match row.and_then(|row| row.thing) {
        Some(thing) => Ok(otaru_store::device(tx, &actor.scope, &thing)?),
        None => Ok(None),
    }
}

fn waiting(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: &str,
    now: i64,
) -> Result<(ProvisioningRow, ThingName), OperationError> {
    let row = otaru_store::provisioning(tx, &actor.scope, id)?;
    if let Some(refusal) = row.as_ref().and_then(decided) {
        return Err(refusal.into());
    }
    let row = row.filter(|row| still_waits(row, now));
    let found = row.and_then(|row| row.thing.clone().map(|thing| (row, thing)));
    Ok(found.ok_or_else(|| Refusal::ProvisioningUnknown(id.to_owned()))?)
}

/// What somebody decided before about a device.
fn decided(row: &ProvisioningRow) -> Option<Refusal> {
    let decided = match row.state {
        ProvisioningState::Active => "approved",
        ProvisioningState::Rejected => "rejected",
        ProvisioningState::Issued | ProvisioningState::Waiting => return None,
    };
    let (thing, at) = (row.thing.as_ref()?.to_string(), objects::time(row.decided_at?));
    Some(Refusal::ProvisioningDecided { thing, decided, at })
}

fn decide(
    tx: &mut Tx<'_>,
    actor: &Actor,
    row: ProvisioningRow,
    state: ProvisioningState,
    now: i64,
) -> Result<ProvisioningRow, OperationError> {
    let row = ProvisioningRow { state, decided_at: Some(now), ..row };
    otaru_store::set_provisioning_state(tx, &actor.scope, &row)?;
    changed(tx, &actor.scope);
    Ok(row)
}
