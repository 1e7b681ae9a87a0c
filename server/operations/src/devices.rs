//! Registering devices and showing them.

use otaru_authority::IssuedDevice;
use otaru_fleet::Permission;
use otaru_release::RootDocument;
use otaru_store::{
    CertificateName, DeviceFilter, DeviceRow, Notice, ReleaseRow, Scope, StoreError, Tx,
};
use otaru_wire::{ProductName, ThingName};
use serde_json::json;

use crate::audit::{Object, Who};
use crate::certificates::{self, Certificate};
use crate::{
    Actor, App, DeviceObject, OperationError, Page, PageRequest, Reach, Refusal, Urls, clock,
    downgrades, events, events::People, offers, own_devices, patches, releases, shadows,
};

/// Longest text to look for: as long as the longest name.
const FILTER_BYTES: usize = 128;

/// What `device add` and `device renew` write: the files a device is provisioned with.
#[derive(Clone, Debug)]
pub struct NewDeviceFiles {
    /// The device.
    pub device: DeviceObject,
    /// Its certificate.
    pub cert_pem: String,
    /// Its private key, where the server made it; it does not keep it.
    pub key_pem: Option<String>,
    /// The authority it trusts for TLS.
    pub ca_pem: String,
    /// The root key it trusts for firmware, as `root.pub`.
    pub root_pub: String,
    /// Where it finds its server, as `device.toml`.
    pub device_toml: String,
}

/// Registers a device and issues its certificate.
///
/// # Errors
/// [`Refusal::ThingNameTaken`], [`Refusal::ThingNameTooLong`], [`Refusal::ProductUnknown`],
/// [`Refusal::Forbidden`].
pub async fn add_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    product: ProductName,
) -> Result<NewDeviceFiles, OperationError> {
    actor.require(Permission::OperateDevices)?;
    if !thing.is_registrable() {
        return Err(Refusal::ThingNameTooLong(thing.to_string()).into());
    }
    let now = app.now_ms();
    let issued = issue(app, actor, &thing, now).await?;
    let (scope, who) = (actor.scope.clone(), Who::of(actor));
    let certificate = Certificate::from(&issued);
    let work = move |tx: &mut Tx<'_>| {
        let built = register(tx, &scope, &thing, &product, &certificate, now)?;
        let serial = &certificate.name.serial;
        let added = json!({ "product": built.device.product, "certificate": serial });
        Ok::<_, OperationError>((built, who.did("device.add", Object::device(&thing)).made(&added)))
    };
    let built = app.inner.store.audited(work).await?;
    Ok(files(app, issued.cert_pem, Some(issued.key_pem), built))
}

/// Registers a device that has a certificate of one of its organisation's own authorities, as
/// PEM: the device's first, then those between it and the authority, if there are any. Its common
/// name is the thing name.
///
/// # Errors
/// As [`add_device`], and [`Refusal::CertificateRefused`], [`Refusal::CertificateTaken`].
pub async fn register_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    product: ProductName,
    certificate: String,
) -> Result<NewDeviceFiles, OperationError> {
    actor.require(Permission::OperateDevices)?;
    if !thing.is_registrable() {
        return Err(Refusal::ThingNameTooLong(thing.to_string()).into());
    }
    let (scope, now, who) = (actor.scope.clone(), app.now_ms(), Who::of(actor));
    let chain = certificates::read_chain(&certificate)?;
    let work = move |tx: &mut Tx<'_>| {
        let known = certificates::believed(tx, &scope, &chain, &thing, now)?;
        let built = register(tx, &scope, &thing, &product, &known, now)?;
        let CertificateName { issuer, serial } = &known.name;
        let product = &built.device.product;
        let added = json!({ "product": product, "certificate": serial, "issuer": issuer });
        Ok::<_, OperationError>((built, who.did("device.add", Object::device(&thing)).made(&added)))
    };
    let built = app.inner.store.audited(work).await?;
    Ok(files(app, certificate, None, built))
}

/// Issues a new certificate for a device and revokes those it had: for one whose key was lost
/// or leaked. Its session ends.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::Forbidden`].
pub async fn renew_certificate(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<NewDeviceFiles, OperationError> {
    actor.require(Permission::OperateDevices)?;
    let now = app.now_ms();
    let issued = issue(app, actor, &thing, now).await?;
    let (actor, certificate) = (actor.clone(), Certificate::from(&issued));
    let work = move |tx: &mut Tx<'_>| {
        let device = reachable(tx, &actor, Reach::Fleet, &thing, Permission::OperateDevices)?;
        in_service(&device)?;
        let (chip, root_pub) = built_in(tx, &actor.scope, &device.product)?;
        let revoked = certificates::revoke_all(tx, &actor.scope, &thing, now)?;
        certificate.keep(tx, &actor.scope, &thing, now)?;
        tx.notify(Notice::Disconnect { client_id: thing.to_string() });
        let did = Who::of(&actor).did("device.renew_certificate", Object::device(&thing));
        let before = json!({ "certificates": revoked });
        let renewed = did.wrote(Some(before), json!({ "certificates": [certificate.name.serial] }));
        let device = otaru_store::device(tx, &actor.scope, &thing)?.unwrap_or(device);
        let built = Built { device: DeviceObject::from(&device), chip, root_pub };
        Ok::<_, OperationError>((built, renewed))
    };
    let built = app.inner.store.audited(work).await?;
    Ok(files(app, issued.cert_pem, Some(issued.key_pem), built))
}

async fn issue(
    app: &App,
    actor: &Actor,
    thing: &ThingName,
    now: i64,
) -> Result<IssuedDevice, OperationError> {
    let (thing, organisation) = (thing.clone(), actor.scope.organisation().clone());
    let at = clock::time_of(now);
    app.sign(move |authority| authority.issue_device(&thing, &organisation, at)).await
}

/// Refuses for a device that is out of service.
pub(crate) fn in_service(device: &DeviceRow) -> Result<(), Refusal> {
    match device.decommissioned_at {
        None => Ok(()),
        Some(_) => Err(Refusal::DeviceDecommissioned(device.thing.to_string())),
    }
}

/// A device, and what its product builds into it.
pub(crate) struct Built {
    pub(crate) device: DeviceObject,
    pub(crate) chip: String,
    pub(crate) root_pub: String,
}

impl Built {
    /// Where the device finds its server, as `device.toml`.
    pub(crate) fn device_toml(&self, app: &App) -> String {
        device_toml(app, &self.device, &self.chip)
    }

    /// A device that is registered.
    pub(crate) fn of(
        tx: &mut Tx<'_>,
        scope: &Scope,
        device: &DeviceRow,
    ) -> Result<Built, OperationError> {
        let (chip, root_pub) = built_in(tx, scope, &device.product)?;
        Ok(Built { device: DeviceObject::from(device), chip, root_pub })
    }
}

fn files(app: &App, cert_pem: String, key_pem: Option<String>, built: Built) -> NewDeviceFiles {
    let device_toml = built.device_toml(app);
    let Built { device, root_pub, .. } = built;
    NewDeviceFiles { device, cert_pem, key_pem, ca_pem: app.ca_pem(), root_pub, device_toml }
}

/// Registers a device with its certificate.
pub(crate) fn register(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    product: &ProductName,
    certificate: &Certificate,
    now: i64,
) -> Result<Built, OperationError> {
    let (chip, root_pub) = built_in(tx, scope, product)?;
    let taken = || Refusal::ThingNameTaken(thing.to_string());
    if otaru_store::is_thing_foreign(tx, scope, thing)? {
        return Err(taken().into());
    }
    match otaru_store::insert_device(tx, scope, thing, product, now) {
        Err(StoreError::Duplicate(_)) => return Err(taken().into()),
        other => other?,
    }
    certificate.keep(tx, scope, thing, now)?;
    let device = otaru_store::device(tx, scope, thing)?;
    let device = device.ok_or_else(|| Refusal::DeviceUnknown(thing.to_string()))?;
    Ok(Built { device: DeviceObject::from(&device), chip, root_pub })
}

/// Whether a thing name is registered, here or by somebody else.
pub(crate) fn is_taken(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<bool, StoreError> {
    Ok(shadows::is_foreign(tx, scope, thing)? || otaru_store::device(tx, scope, thing)?.is_some())
}

/// The chip of a product, and the root key its devices are built to trust.
pub(crate) fn built_in(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
) -> Result<(String, String), OperationError> {
    let unknown = || Refusal::ProductUnknown(product.to_string());
    let chip = otaru_store::product(tx, scope, product)?.ok_or_else(unknown)?.chip;
    // The first document: the one the device was built to trust.
    let (_, root) = otaru_store::root_document(tx, scope, product, Some(1))?.ok_or_else(unknown)?;
    Ok((chip, root_pub(&root)?))
}

/// The first key of a root document, which is checked when the product is created.
fn root_pub(document: &[u8]) -> Result<String, Refusal> {
    let invalid = |detail: String| Refusal::RootInvalid { detail };
    let root =
        RootDocument::verify_self_signed(document).map_err(|error| invalid(error.to_string()))?;
    let key = root.root_keys.first().ok_or_else(|| invalid("it names no root key".to_owned()))?;
    Ok(key.to_file("root key"))
}

fn device_toml(app: &App, device: &DeviceObject, chip: &str) -> String {
    let DeviceObject { thing, product, .. } = device;
    let Urls { device_url, mqtt_url, .. } = app.urls();
    let namespace = app.namespace();
    format!(
        "thing = \"{thing}\"\nproduct = \"{product}\"\nchip = \"{chip}\"\n\
         device_url = \"{device_url}\"\nmqtt_url = \"{mqtt_url}\"\nnamespace = \"{namespace}\"\n"
    )
}

/// One device of the organisation.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::Forbidden`].
pub async fn show_device(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<DeviceObject, OperationError> {
    let actor = actor.clone();
    let work = move |tx: &mut Tx<'_>| {
        let device = reachable(tx, &actor, Reach::Fleet, &thing, Permission::ReadFleet)?;
        Ok::<_, OperationError>(DeviceObject::from(&device))
    };
    app.inner.store.read(work).await
}

/// Devices of the organisation that are wanted, by name.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`], [`Refusal::InvalidCursor`].
pub async fn list_devices(
    app: &App,
    actor: &Actor,
    filter: DeviceFilter,
    page: PageRequest,
) -> Result<Page<DeviceObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    for (name, text) in [("text", &filter.text), ("version", &filter.version)] {
        if text.as_ref().is_some_and(|text| text.len() > FILTER_BYTES) {
            return Err(Refusal::invalid(name, format!("longer than {FILTER_BYTES} bytes")).into());
        }
    }
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| otaru_store::devices(tx, &scope, &filter, now, &after, limit);
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.thing.to_string(), |row| DeviceObject::from(&row)))
}

/// Sets the channel a device follows, and looks at what that offers it.
///
/// Nothing older than what it runs is ever offered: back from `beta`, it waits until its
/// channel has something newer.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn set_device_channel(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    channel: &str,
) -> Result<DeviceObject, OperationError> {
    let channel = releases::channel(Some(channel))?;
    let (app_, actor, now) = (app.clone(), actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let before = reachable(tx, &actor, Reach::Fleet, &thing, Permission::OperateDevices)?;
        otaru_store::set_device_channel(tx, &actor.scope, &thing, &channel)?;
        let device = reachable(tx, &actor, Reach::Fleet, &thing, Permission::OperateDevices)?;
        offers::consider(&app_, tx, &actor.scope, &device, now)?;
        patches::want_for_device(&app_, tx, &actor.scope, &device, now)?;
        let people = People::of(tx, &device)?;
        events::device_changed(tx, &device, &people, now)?;
        let channel = |device: &DeviceRow| json!({ "channel": device.channel });
        let did = Who::of(&actor).did("device.set_channel", Object::device(&thing));
        let changed = did.changed(&channel(&before), &channel(&device));
        Ok::<_, OperationError>((DeviceObject::from(&device), changed))
    };
    app.inner.store.audited(work).await
}

/// The device, if the actor may act on it; somebody else's does not exist for an owner.
pub(crate) fn reachable(
    tx: &mut Tx<'_>,
    actor: &Actor,
    reach: Reach,
    thing: &ThingName,
    permission: Permission,
) -> Result<DeviceRow, OperationError> {
    let device = otaru_store::device(tx, &actor.scope, thing)?;
    let unknown = || Refusal::DeviceUnknown(thing.to_string());
    match reach {
        Reach::Own => {
            let person = actor.person()?;
            let device = device.ok_or_else(unknown)?;
            if own_devices::access(tx, &actor.scope, person, &device)?.is_none() {
                return Err(unknown().into());
            }
            Ok(device)
        }
        Reach::Fleet => {
            actor.require(permission)?;
            Ok(device.ok_or_else(unknown)?)
        }
    }
}

/// The release a device runs: by image, else by its reported version string.
pub(crate) fn running_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
) -> Result<Option<ReleaseRow>, StoreError> {
    if let Some(sha256) = &device.running_sha256 {
        let found = otaru_store::release_by_image(tx, scope, &device.product, sha256)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    match device.running_version.as_deref().map(str::parse) {
        Some(Ok(version)) => otaru_store::release(tx, scope, &device.product, &version),
        _ => Ok(None),
    }
}

/// The newest release of the device's channel that it would take, if it is newer than what runs
/// and no downgrade: that is an operator's to ask for.
pub(crate) fn available_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
) -> Result<Option<ReleaseRow>, StoreError> {
    let newest = otaru_store::newest_release(tx, scope, &device.product, &device.channel)?;
    let running = running_release(tx, scope, device)?.map_or(0, |release| release.rank());
    match newest.filter(|release| release.sequence > running) {
        Some(release) if downgrades::is_one(tx, scope, &release)? => Ok(None),
        newer => Ok(newer),
    }
}
