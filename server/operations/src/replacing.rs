//! A device takes the place of another one: a repaired unit, a new board in an old case.

use otaru_fleet::Permission;
use otaru_shadow::UpdateRequest;
use otaru_store::{DeviceRow, Scope, ShareRow, Tx};
use otaru_wire::{ShadowId, ThingName};
use serde_json::{Map, Value, json};

use crate::audit::{Object, Who};
use crate::decommissioning::retire;
use crate::events::{self, People};
use crate::shadow_history::{By, Writer};
use crate::{Actor, App, DeviceObject, OperationError, Reach, Refusal, devices, offers, shadows};

/// What the server itself wishes of a device in its classic shadow: of an update, and of its
/// screen. It begins anew.
const SERVERS_OWN: [&str; 2] = ["update", "update_offer"];

/// What is desired in a shadow.
type Wish = (ShadowId, Map<String, Value>);

/// Moves everything that was said of one device to another, and takes the first out of service:
/// its owner and what they call it, whom it is shared with, channel and choice of updates, and
/// what is desired in its shadows.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::DeviceDecommissioned`], [`Refusal::ProductDiffers`],
/// [`Refusal::ReplacementOwned`], [`Refusal::ShadowRefused`], [`Refusal::InvalidField`],
/// [`Refusal::Forbidden`].
pub async fn replace_device(
    app: &App,
    actor: &Actor,
    old: ThingName,
    new: ThingName,
) -> Result<DeviceObject, OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let (scope, now) = (&actor.scope, app_.now_ms());
        let (from, to) = pair(tx, &actor, &old, &new)?;
        let shares = otaru_store::shares(tx, scope, &old)?;
        let wishes = wishes(tx, scope, &old)?;
        let mut entries = retire(&app_, tx, &actor, &from, Some(&new), now)?;
        for (shadow, desired) in wishes {
            wish(&app_, tx, scope, ShadowId { thing: new.clone(), ..shadow }, desired, now)?;
        }
        let taken = take_over(&app_, tx, scope, &from, &to, &shares, now)?;
        let before = DeviceObject::from(&from);
        entries.extend([
            Who::of(&actor)
                .did("device.replace", Object::device(&old))
                .made(&json!({ "replaced_by": new, "owner": before.owner })),
            Who::of(&actor)
                .did("device.take_over", Object::device(&new))
                .made(&json!({ "replaces": old, "owner": taken.owner, "channel": taken.channel })),
        ]);
        Ok::<_, OperationError>((DeviceObject::from(&taken), entries))
    };
    app.inner.store.audited(work).await
}

/// The two devices, if one may take the other's place.
fn pair(
    tx: &mut Tx<'_>,
    actor: &Actor,
    old: &ThingName,
    new: &ThingName,
) -> Result<(DeviceRow, DeviceRow), OperationError> {
    if old == new {
        return Err(Refusal::invalid("by", "a device cannot take its own place").into());
    }
    let fleet = Reach::Fleet;
    let from = devices::reachable(tx, actor, fleet, old, Permission::OperateDevices)?;
    let to = devices::reachable(tx, actor, fleet, new, Permission::OperateDevices)?;
    devices::in_service(&from)?;
    devices::in_service(&to)?;
    if from.product != to.product {
        let (old, new) = (old.to_string(), new.to_string());
        let (found, expected) = (to.product.to_string(), from.product.to_string());
        return Err(Refusal::ProductDiffers { old, new, found, expected }.into());
    }
    match &to.owner {
        Some(_) => Err(Refusal::ReplacementOwned(new.to_string()).into()),
        None => Ok((from, to)),
    }
}

/// What people and programs desire in each shadow of a device.
fn wishes(tx: &mut Tx<'_>, scope: &Scope, thing: &ThingName) -> Result<Vec<Wish>, OperationError> {
    let rows = otaru_store::shadows_of_thing(tx, scope, thing)?;
    let live = rows.into_iter().filter(|row| !row.document.is_deleted());
    let wished = live.map(|row| {
        let mut desired = row.document.desired().clone();
        if row.shadow.name.is_none() {
            desired.retain(|name, _| !SERVERS_OWN.contains(&name.as_str()));
            let config = desired.get_mut("config").and_then(Value::as_object_mut);
            // An empty object left behind would be a delta that nobody can close.
            if config.is_some_and(|config| {
                config.remove("firmware_version").is_some() && config.is_empty()
            }) {
                desired.remove("config");
            }
        }
        (row.shadow, desired)
    });
    Ok(wished.filter(|(_, desired)| !desired.is_empty()).collect())
}

fn wish(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: ShadowId,
    desired: Map<String, Value>,
    now: i64,
) -> Result<(), OperationError> {
    let refused = |rejection| Refusal::shadow(&shadow.thing, &rejection);
    let state = json!({ "desired": desired });
    let request = UpdateRequest::from_state(state, &app.inner.shadow_rules).map_err(refused)?;
    let writer = Writer::Operation(By::Replacing);
    shadows::apply(app, tx, scope, &shadow, request, &writer, now)?.map_err(refused)?;
    Ok(())
}

fn take_over(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    from: &DeviceRow,
    to: &DeviceRow,
    shares: &[ShareRow],
    now: i64,
) -> Result<DeviceRow, OperationError> {
    let thing = &to.thing;
    otaru_store::take_over_device(tx, scope, from, thing, now)?;
    for share in shares {
        otaru_store::insert_share(tx, scope, thing, &share.person, now)?;
    }
    app.inner.live.forget(thing);
    let unknown = || Refusal::DeviceUnknown(thing.to_string());
    let taken = otaru_store::device(tx, scope, thing)?.ok_or_else(unknown)?;
    let people = People::of(tx, &taken)?;
    events::device_changed(tx, &taken, &people, now)?;
    offers::consider(app, tx, scope, &taken, now)?;
    Ok(taken)
}
