//! The phases an update went through.

use otaru_fleet::{Permission, Update};
use otaru_store::{Scope, StoreError, Tx};
use otaru_wire::{ThingName, UpdateId};

use crate::{
    Actor, App, OperationError, Reach, Refusal, TracedUpdateObject, UpdateObject,
    UpdatePhaseObject, devices,
};

/// Notes where an update is now, if it was elsewhere before.
pub(super) fn note(
    tx: &mut Tx<'_>,
    scope: &Scope,
    before: Option<&Update>,
    after: &Update,
    now: i64,
) -> Result<(), StoreError> {
    // The first attempt begins with the first word of the device, wherever the update is by then.
    let place = |update: &Update| (update.phase, update.outcome, update.attempt.max(1));
    match before {
        Some(before) if place(before) == place(after) => Ok(()),
        _ => otaru_store::insert_update_phase(tx, scope, after, now),
    }
}

/// An update of a device with the phases it went through.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::UpdateUnknown`], [`Refusal::Forbidden`].
pub async fn trace_update(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    id: UpdateId,
) -> Result<TracedUpdateObject, OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        devices::reachable(tx, &actor, Reach::Fleet, &thing, Permission::ReadFleet)?;
        let found = otaru_store::update(tx, &actor.scope, &id)?;
        let row = found.filter(|row| row.thing == thing);
        let row = row.ok_or_else(|| Refusal::NoSuchUpdate(id.to_string()))?;
        let phases = otaru_store::update_phases(tx, &actor.scope, &id)?;
        Ok::<_, OperationError>(TracedUpdateObject {
            update: UpdateObject::from(&app_.inner.live.overlay(row)),
            history: phases.into_iter().map(UpdatePhaseObject::from).collect(),
        })
    };
    app.inner.store.read(work).await
}
