//! A person's devices: their own, and those somebody shares with them.

use otaru_fleet::{Decision, InstallChoice, Language, Permission};
use otaru_store::{DeviceRow, DeviceSaid, ReleaseRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{ProductName, ShadowId, ThingName};
use serde_json::{Value, json};

use crate::audit::{Object, Who};
use crate::{
    Actor, App, AvailableRelease, DeviceObject, OperationError, OwnDeviceObject, Page, PageRequest,
    Reach, Refusal, UpdateObject, devices, events, events::People, objects::time, offers,
    own_settings, refusal::typed_text, shadows, users,
};

/// Longest name an owner can give a device, in characters.
const NAME_CHARS: usize = 80;

/// Bytes a second of a slow home link, and seconds of everything but the download: how long an
/// update takes of which the product has none to go by.
const SLOW_LINK_BYTES: u64 = 40_000;
const BESIDE_DOWNLOAD_S: u64 = 60;

/// What an owner can say about a device; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct DeviceDetails {
    /// The owner's name for it.
    pub name: Option<String>,
    /// IANA time zone for "tonight".
    pub time_zone: Option<String>,
    /// What is to happen with new releases.
    pub install: Option<InstallChoice>,
}

/// How a device is somebody's, and since when, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Owner { since: i64 },
    Shared { since: i64 },
}

impl Access {
    pub(crate) fn since(self) -> i64 {
        match self {
            Access::Owner { since } | Access::Shared { since } => since,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Access::Owner { .. } => "owner",
            Access::Shared { .. } => "shared",
        }
    }
}

/// How the device is the person's; `None` when it is not.
pub(crate) fn access(
    tx: &mut Tx<'_>,
    scope: &Scope,
    person: &str,
    device: &DeviceRow,
) -> Result<Option<Access>, StoreError> {
    if device.owner.as_deref() == Some(person) {
        return Ok(Some(Access::Owner { since: device.owned_at.unwrap_or(0) }));
    }
    let since = otaru_store::shared_since(tx, scope, &device.thing, person)?;
    Ok(since.map(|since| Access::Shared { since }))
}

/// Since when the actor may know what happened to a device: who comes new to it sees nothing
/// of what was before.
pub(crate) fn since(
    tx: &mut Tx<'_>,
    actor: &Actor,
    reach: Reach,
    device: &DeviceRow,
) -> Result<i64, OperationError> {
    match reach {
        Reach::Fleet => Ok(0),
        Reach::Own => {
            let access = access(tx, &actor.scope, actor.person()?, device)?;
            Ok(access.map_or(i64::MAX, Access::since))
        }
    }
}

/// Whether who has the device since `since` may know of an update: of one asked for since
/// then, and of what is under way on it now, unless that began at a former owner's.
pub(crate) fn may_see(since: i64, device: &DeviceRow, row: &UpdateRow) -> bool {
    row.update.requested_at >= since || (row.update.is_open() && !is_of_a_former_owner(device, row))
}

/// Whether an update was asked for when the device was another owner's.
pub(crate) fn is_of_a_former_owner(device: &DeviceRow, row: &UpdateRow) -> bool {
    let is_older = |owned_at| row.update.requested_at < owned_at;
    let is_theirs = |given_up_at| row.update.requested_at <= given_up_at;
    device.owned_at.is_some_and(is_older) && device.given_up_at.is_some_and(is_theirs)
}

/// The devices a person claimed or was given a share of.
///
/// # Errors
/// [`Refusal::UserRequired`].
pub async fn list_own_devices(
    app: &App,
    actor: &Actor,
) -> Result<Vec<OwnDeviceObject>, OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let devices = otaru_store::devices_of_person(tx, &actor.scope, actor.person()?)?;
        devices.iter().map(|device| own_device(&app_, tx, &actor, device)).collect()
    };
    app.inner.store.read(work).await
}

/// One of a person's devices.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::UserRequired`].
pub async fn show_own_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<OwnDeviceObject, OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let device =
            devices::reachable(tx, &actor, Reach::Own, &thing, Permission::OperateDevices)?;
        own_device(&app_, tx, &actor, &device)
    };
    app.inner.store.read(work).await
}

/// Updates of one of a person's devices since it is theirs, newest first.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::InvalidCursor`], [`Refusal::UserRequired`].
pub async fn list_own_updates(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    page: PageRequest,
) -> Result<Page<UpdateObject>, OperationError> {
    let (actor, limit, below) = (actor.clone(), page.limit()?, page.after()?);
    let work = move |tx: &mut Tx<'_>| {
        let device =
            devices::reachable(tx, &actor, Reach::Own, &thing, Permission::OperateDevices)?;
        let since = since(tx, &actor, Reach::Own, &device)?;
        let scope = &actor.scope;
        Ok::<_, OperationError>(otaru_store::updates_since(
            tx, scope, &thing, since, &below, limit,
        )?)
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(
        rows,
        limit,
        |row| row.update.id.to_string(),
        |row| UpdateObject::from(&app.inner.live.overlay(row)),
    ))
}

/// Sets the name of a device, its time zone, and what is to happen with new releases.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::InvalidField`], [`Refusal::UserRequired`].
pub async fn set_device_details(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    details: DeviceDetails,
) -> Result<OwnDeviceObject, OperationError> {
    check(&details)?;
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let now = app_.now_ms();
        let device =
            devices::reachable(tx, &actor, Reach::Own, &thing, Permission::OperateDevices)?;
        let before = said_of(&device);
        let said = DeviceSaid {
            name: details.name.as_deref().or(device.name.as_deref()),
            time_zone: details.time_zone.as_deref().or(device.time_zone.as_deref()),
            install: details.install.unwrap_or(device.install),
        };
        otaru_store::set_device_said(tx, &actor.scope, &thing, &said)?;
        let chose = said.install != device.install;
        let device =
            devices::reachable(tx, &actor, Reach::Own, &thing, Permission::OperateDevices)?;
        if chose {
            // What waited for a word may begin by itself from now on.
            offers::consider(&app_, tx, &actor.scope, &device, now)?;
        }
        let people = People::of(tx, &device)?;
        events::device_changed(tx, &device, &people, now)?;
        let did = Who::of(&actor).did("device.set", Object::device(&thing));
        let changed = did.changed(&before, &said_of(&device));
        Ok::<_, OperationError>((own_device(&app_, tx, &actor, &device)?, changed))
    };
    app.inner.store.audited(work).await
}

/// What its owner said about a device.
fn said_of(device: &DeviceRow) -> Value {
    let install = device.install.as_str();
    json!({ "name": device.name, "time_zone": device.time_zone, "install": install })
}

fn check(details: &DeviceDetails) -> Result<(), Refusal> {
    if let Some(zone) = &details.time_zone
        && zone.parse::<chrono_tz::Tz>().is_err()
    {
        let detail = format!("`{zone}` is no IANA time zone such as Asia/Tokyo");
        return Err(Refusal::invalid("time_zone", detail));
    }
    if let Some(name) = &details.name {
        typed_text("name", name)?;
        if name.chars().count() > NAME_CHARS {
            return Err(Refusal::invalid("name", format!("longer than {NAME_CHARS} characters")));
        }
    }
    Ok(())
}

/// A device as this person sees it.
pub(crate) fn own_device(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &Actor,
    device: &DeviceRow,
) -> Result<OwnDeviceObject, OperationError> {
    let scope = &actor.scope;
    let unknown = || Refusal::DeviceUnknown(device.thing.to_string());
    let access = access(tx, scope, actor.person()?, device)?.ok_or_else(unknown)?;
    let language = users::language_of(tx, actor)?;
    let product = otaru_store::product(tx, scope, &device.product)?.ok_or_else(unknown)?;
    let available = match devices::available_release(tx, scope, device)? {
        Some(release) => {
            let decision = offers::decide(tx, scope, device, &product, &release, app.now_ms())?;
            Some(available(tx, scope, device, release, decision, language)?)
        }
        None => None,
    };
    let newest = otaru_store::newest_update(tx, scope, &device.thing)?;
    let newest = newest.filter(|row| may_see(access.since(), device, row));
    let shadow = shadows::read(tx, scope, &ShadowId::classic(device.thing.clone()))?.ok();
    // What a former owner's device said is not the new one's to read.
    let hidden = device.given_up_at.and(device.owned_at);
    let settings = product
        .settings
        .as_deref()
        .map(|settings| own_settings::describe(settings, shadow.as_ref(), hidden, language));
    let mut object = DeviceObject::from(device);
    if device.last_seen_at.zip(hidden).is_some_and(|(seen_at, before)| seen_at < before) {
        object.last_seen_at = None;
    }
    Ok(OwnDeviceObject {
        device: object,
        access: access.as_str(),
        name: device.name.clone(),
        time_zone: device.time_zone.clone(),
        install: device.install.as_str(),
        consent: product.consent,
        available,
        update: newest.map(|row| UpdateObject::from(&app.inner.live.overlay(row))),
        settings,
    })
}

fn available(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: ReleaseRow,
    decision: Decision,
    language: Language,
) -> Result<AvailableRelease, StoreError> {
    let since = device.owned_at.unwrap_or(0);
    let ends = otaru_store::ends_of_image(tx, scope, &device.thing, &release.sha256, since)?;
    let deadline_at = match decision {
        Decision::Ask { deadline_at } => deadline_at,
        Decision::Tonight | Decision::Now => None,
    };
    let reason = |safety: &otaru_fleet::Safety| safety.reason.read_in(language.as_str()).to_owned();
    Ok(AvailableRelease {
        version: release.version.to_string(),
        notes: release.notes.read_in(language.as_str()).to_owned(),
        size: release.size_bytes,
        published_at: time(release.created_at),
        expected_s: expected_s(tx, scope, &device.product, release.size_bytes)?,
        decision: match decision {
            Decision::Ask { .. } => "ask",
            Decision::Tonight => "night",
            Decision::Now => "now",
        },
        deadline_at: deadline_at.map(time),
        safety_reason: release.safety.as_ref().map(reason),
        failed_before: ends.iter().any(|end| end != "cancelled"),
    })
}

/// How long an update will take, from being told to its end: as the product's last ones took
/// in the middle, else as a slow link would.
fn expected_s(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    size_bytes: u64,
) -> Result<u64, StoreError> {
    let mut took = otaru_store::durations_of_product(tx, scope, product)?;
    took.sort_unstable();
    let middle = took.get(took.len() / 2).map(|ms| (ms.unsigned_abs() / 1_000).max(1));
    Ok(middle.unwrap_or(BESIDE_DOWNLOAD_S + size_bytes / SLOW_LINK_BYTES))
}
