//! A device with several people: its owner shares it, and everybody can leave.

use otaru_fleet::{Input, Permission};
use otaru_store::{DecidedBy, DeviceRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{Phase, ShadowId, ThingName};
use serde_json::{Map, Value, json};

use crate::audit::{self, Object, Who};
use crate::{
    Actor, App, OperationError, PersonObject, Reach, Refusal, ShareCodeObject,
    claims::{claim_url, digest_of, new_code},
    device_offers, devices, events,
    events::People,
    objects::time,
    own_devices::{self, Access},
    shadow_history::By,
    shadows, updates,
};

/// How long a share code works, in milliseconds: long enough to reach somebody, too short to
/// be found in an old chat.
const CODE_MS: i64 = 24 * 60 * 60 * 1_000;

/// Most people one device is shared with: every event of it is for each of them.
const PEOPLE_MAX: usize = 20;

/// Makes a code that shares a device with whoever enters it first; an unused older one stops
/// working.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::NotTheOwner`], [`Refusal::UserRequired`].
pub async fn share_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<ShareCodeObject, OperationError> {
    let code = new_code()?;
    let (actor, digest, now) = (actor.clone(), digest_of(&code), app.now_ms());
    let expires_at = now + CODE_MS;
    let work = move |tx: &mut Tx<'_>| {
        owned(tx, &actor, &thing)?;
        let (scope, person) = (&actor.scope, actor.person()?);
        otaru_store::insert_share_code(tx, scope, &thing, &digest, person, now, expires_at)?;
        let did = Who::of(&actor).did("device.share", Object::device(&thing));
        Ok::<_, OperationError>(((), did.made(&json!({ "expires_at": time(expires_at) }))))
    };
    app.inner.store.audited(work).await?;
    let url = claim_url(app, &code);
    Ok(ShareCodeObject { code, url, expires_at: time(expires_at) })
}

/// Who may use a device: its owner first, then by address.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::UserRequired`].
pub async fn list_people(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<Vec<PersonObject>, OperationError> {
    let actor = actor.clone();
    let work = move |tx: &mut Tx<'_>| {
        let scope = &actor.scope;
        let device =
            devices::reachable(tx, &actor, Reach::Own, &thing, Permission::OperateDevices)?;
        let owner = device.owner.as_deref().unwrap_or_default();
        let mut people = Vec::new();
        if let Some(owner) = otaru_store::user(tx, scope, owner)? {
            let (id, email) = (owner.id, owner.email);
            let since = time(device.owned_at.unwrap_or(device.created_at));
            people.push(PersonObject { id, email, access: "owner", since });
        }
        people.extend(otaru_store::shares(tx, scope, &thing)?.into_iter().map(|share| {
            let (id, email) = (share.person, share.email);
            PersonObject { id, email, access: "shared", since: time(share.since) }
        }));
        Ok::<_, OperationError>(people)
    };
    app.inner.store.read(work).await
}

/// Ends the sharing of a device with a person.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::NotTheOwner`], [`Refusal::UserUnknown`].
pub async fn remove_person(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    person: String,
) -> Result<(), OperationError> {
    let (app_, actor, now) = (app.clone(), actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let device = owned(tx, &actor, &thing)?;
        if !leave(&app_, tx, &actor.scope, &device, &person, now)? {
            return Err(Refusal::UserUnknown(person).into());
        }
        let did = Who::of(&actor).did("device.unshare", Object::device(&thing));
        Ok::<_, OperationError>(((), did.ended(&json!({ "shared_with": person }))))
    };
    app.inner.store.audited(work).await
}

/// Gives a device up, or leaves one that somebody else shares.
///
/// Who owned it loses it with everybody they shared it with. What they asked for is stopped,
/// if the device is not restarting into it, and what was to begin by itself does not.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::UserRequired`].
pub async fn leave_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<(), OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let (scope, now) = (&actor.scope, app_.now_ms());
        let device =
            devices::reachable(tx, &actor, Reach::Own, &thing, Permission::OperateDevices)?;
        let person = actor.person()?;
        let before = match own_devices::access(tx, scope, person, &device)? {
            Some(Access::Owner { .. }) => {
                give_up(&app_, tx, scope, &device, now)?;
                json!({ "owner": person })
            }
            _ => {
                leave(&app_, tx, scope, &device, person, now)?;
                json!({ "shared_with": person })
            }
        };
        let did = Who::of(&actor).did("device.leave", Object::device(&thing));
        Ok::<_, OperationError>(((), did.ended(&before)))
    };
    app.inner.store.audited(work).await
}

/// Takes every device from a person who goes.
pub(crate) fn leave_all(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    person: &str,
    now: i64,
) -> Result<(), StoreError> {
    for device in otaru_store::devices_of_person(tx, scope, person)? {
        match device.owner.as_deref() == Some(person) {
            true => give_up(app, tx, scope, &device, now)?,
            false => drop(leave(app, tx, scope, &device, person, now)?),
        }
    }
    Ok(())
}

/// Shares a device with a person who entered a code.
pub(crate) fn join(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    person: &str,
    now: i64,
) -> Result<(), OperationError> {
    let unknown = || Refusal::DeviceUnknown(thing.to_string());
    let device = otaru_store::device(tx, scope, thing)?.ok_or_else(unknown)?;
    if device.owner.as_deref() == Some(person) {
        return Err(Refusal::DeviceClaimed(thing.to_string()).into());
    }
    if otaru_store::shares(tx, scope, thing)?.len() >= PEOPLE_MAX {
        let detail = format!("a device is shared with at most {PEOPLE_MAX} people");
        return Err(Refusal::invalid("code", detail).into());
    }
    otaru_store::insert_share(tx, scope, thing, person, now)?;
    app.inner.live.forget(thing);
    let people = People::of(tx, &device)?;
    Ok(events::device_changed(tx, &device, &people, now)?)
}

fn owned(tx: &mut Tx<'_>, actor: &Actor, thing: &ThingName) -> Result<DeviceRow, OperationError> {
    let device = devices::reachable(tx, actor, Reach::Own, thing, Permission::OperateDevices)?;
    if device.owner.as_deref() != Some(actor.person()?) {
        return Err(Refusal::NotTheOwner(thing.to_string()).into());
    }
    Ok(device)
}

fn leave(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    person: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let left = otaru_store::remove_share(tx, scope, &device.thing, person)?;
    if left {
        app.inner.live.forget(&device.thing);
        let people = People::of(tx, device)?.and(person);
        events::device_changed(tx, device, &people, now)?;
    }
    Ok(left)
}

/// Takes a device from its owner with all they wished and everybody they shared it with.
pub(crate) fn give_up(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    now: i64,
) -> Result<(), StoreError> {
    let people = People::of(tx, device)?;
    let newest = otaru_store::newest_update(tx, scope, &device.thing)?;
    if let Some(theirs) = newest.filter(|row| row.update.is_open() && is_owners_word(row)) {
        let (input, before) = (Input::CancelRequested { reason: None }, theirs.clone());
        let row = updates::advance(app, tx, scope, theirs, &input, now)?;
        audit::note_if(tx, updates::cancelled(Who::server(scope), &before, &row), now)?;
    }
    forget_wishes(app, tx, scope, device, now)?;
    otaru_store::remove_offer(tx, scope, &device.thing)?;
    device_offers::show(app, tx, scope, device, now)?;
    otaru_store::remove_share_codes(tx, scope, &device.thing)?;
    otaru_store::give_up_device(tx, scope, &device.thing, now)?;
    app.inner.live.forget(&device.thing);
    events::device_changed(tx, device, &people, now)
}

/// Whether an update ends with who owned the device: what they asked for, and what waits for
/// their night.
fn is_owners_word(row: &UpdateRow) -> bool {
    match row.decided_by {
        Some(DecidedBy::Owner | DecidedBy::Device) => true,
        Some(DecidedBy::Policy) => row.update.phase == Phase::Deferred,
        Some(DecidedBy::Operator | DecidedBy::Backend) | None => false,
    }
}

/// What its owner wished of its settings is nobody else's affair, and must not be applied at
/// somebody else's.
fn forget_wishes(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    now: i64,
) -> Result<(), StoreError> {
    let shadow = shadows::read(tx, scope, &ShadowId::classic(device.thing.clone()))?.ok();
    let config = shadow.as_ref().and_then(|shadow| shadow.desired().get("config")?.as_object());
    let wished = config.into_iter().flat_map(|config| config.keys());
    let nulls: Map<String, Value> = wished
        .filter(|name| *name != "firmware_version")
        .map(|name| (name.clone(), Value::Null))
        .collect();
    if nulls.is_empty() {
        return Ok(());
    }
    let patch = json!({ "desired": { "config": nulls } });
    // A patch of nulls only makes room: there is nothing to refuse.
    updates::shadow_patch(app, tx, scope, &device.thing, patch, By::GivingUp, now).map(drop)
}
