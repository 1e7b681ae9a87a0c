//! A device goes out of service: nothing it has works any more, and nobody owns it.

use otaru_fleet::{Input, Permission};
use otaru_store::{DeviceRow, Notice, ProvisioningRow, ProvisioningState, Scope, Tx};
use otaru_wire::ThingName;
use serde_json::json;

use crate::audit::{Entry, Object, Who};
use crate::events::{self, People};
use crate::shadow_history::{By, Writer};
use crate::{
    Actor, App, DeviceObject, OperationError, Reach, Refusal, access_keys, certificates, devices,
    shadows, sharing, updates,
};

/// Takes a device out of service. Its certificates are revoked and its session ends, nobody owns
/// it, its codes and tokens are worthless, access keys do not reach it, and its open update is
/// cancelled.
///
/// It stays in lists and in history; with `forget` it goes from them, and its name is free.
/// Only the audit log knows of it then.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::DeviceDecommissioned`] unless it is to be forgotten,
/// [`Refusal::Forbidden`].
pub async fn decommission_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    forget: bool,
) -> Result<(), OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let (scope, now, fleet) = (&actor.scope, app_.now_ms(), Reach::Fleet);
        let device = devices::reachable(tx, &actor, fleet, &thing, Permission::OperateDevices)?;
        if !forget {
            devices::in_service(&device)?;
        }
        let mut entries = match device.decommissioned_at {
            None => retire(&app_, tx, &actor, &device, None, now)?,
            Some(_) => Vec::new(),
        };
        if forget {
            forget_device(&app_, tx, scope, &thing, now)?;
        }
        let action = if forget { "device.forget" } else { "device.decommission" };
        let did = Who::of(&actor).did(action, Object::device(&thing));
        entries.push(did.ended(&DeviceObject::from(&device)));
        Ok::<_, OperationError>(((), entries))
    };
    app.inner.store.audited(work).await
}

/// Everything that ends with a device's service. Says what it did to what is not the device's.
pub(crate) fn retire(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &Actor,
    device: &DeviceRow,
    replaced_by: Option<&ThingName>,
    now: i64,
) -> Result<Vec<Entry>, OperationError> {
    let (scope, thing) = (&actor.scope, &device.thing);
    let people = People::of(tx, device)?;
    certificates::revoke_all(tx, scope, thing, now)?;
    tx.notify(Notice::Disconnect { client_id: thing.to_string() });
    sharing::give_up(app, tx, scope, device, now)?;
    if let Some(open) = updates::newest_open(tx, scope, thing)? {
        updates::advance(app, tx, scope, open, &Input::DeviceGone, now)?;
    }
    otaru_store::remove_claim_codes(tx, scope, thing)?;
    otaru_store::revoke_enrolment_tokens_of(tx, scope, thing, now)?;
    let entries = access_keys::forget_thing(tx, actor, thing, now)?;
    for waiting in otaru_store::waiting_provisionings_of(tx, scope, thing)? {
        // Nobody has turned its key away.
        let rejected = ProvisioningRow { state: ProvisioningState::Rejected, ..waiting };
        otaru_store::set_provisioning_state(tx, scope, &rejected)?;
    }
    otaru_store::decommission_device(tx, scope, thing, replaced_by, now)?;
    let gone = otaru_store::device(tx, scope, thing)?;
    let gone = gone.ok_or_else(|| Refusal::DeviceUnknown(thing.to_string()))?;
    events::device_changed(tx, &gone, &people, now)?;
    Ok(entries)
}

/// Its shadows go as anybody's do who deletes them, and then their history: whoever comes next by
/// that name wishes nothing of what this one did, and finds nothing of what it said.
fn forget_device(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<(), OperationError> {
    let writer = Writer::Operation(By::GivingUp);
    for row in otaru_store::shadows_of_thing(tx, scope, thing)? {
        // One that is deleted already is not there: that is what was wanted.
        let _not_there = shadows::delete(app, tx, scope, &row.shadow, None, &writer, now)?;
    }
    otaru_store::forget_shadows(tx, scope, thing)?;
    otaru_store::forget_provisionings_of(tx, scope, thing)?;
    otaru_store::forget_device(tx, scope, thing, now)?;
    events::emit(tx, scope, &People::default(), "device_changed", &json!({ "thing": thing }), now)?;
    Ok(())
}
