//! Products: what kinds of device there are, and whose root document they trust.

use std::str::FromStr;

use otaru_fleet::{
    ChipRevisions, Consent, ImageFormat, Limits, Permission, Setting, settings_fault,
};
use otaru_release::{Chip, RootDocument};
use otaru_store::{ProductRow, Scope, SigningKeyRow, StoreError, Tx};
use otaru_wire::ProductName;
use serde_json::{Map, Value};

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, OperationError, Page, PageRequest, ProductObject, Refusal, aftermath, roots,
    server_keys, updates,
};

/// What a slot's size is a multiple of, and its least.
///
/// ESP-IDF aligns application partitions to 64 KiB; of other chips it is known that their
/// flash is erased in sectors.
fn slot_step(images: ImageFormat) -> u64 {
    match images {
        ImageFormat::EspIdf => 64 * 1024,
        ImageFormat::Raw => 4 * 1024,
    }
}

/// Flash outside the two slots: bootloader, partition table, settings and the agent's storage.
fn reserved(images: ImageFormat) -> u64 {
    match images {
        ImageFormat::EspIdf => 0x2_0000,
        ImageFormat::Raw => 0,
    }
}

/// A product to create.
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Unique on the server.
    pub name: ProductName,
    /// Chip name, such as `esp32c3`.
    pub chip: String,
    /// Size of the flash in bytes.
    pub flash_bytes: u64,
    /// Size of one slot in bytes; half of what the flash leaves if `None`.
    pub slot_bytes: Option<u64>,
    /// Signed root document: whose releases its devices install.
    pub root: Vec<u8>,
    /// Whether anybody may download its images.
    pub public_download: bool,
    /// How its images are read. Those of a chip that runs ESP-IDF images always are.
    pub images: ImageFormat,
    /// The chip revisions of its devices, if that is known.
    pub chip_revisions: Option<ChipRevisions>,
}

/// `/firmware/blobs/{sha256}` would hide the releases of a product of this name.
const BLOBS: &str = "blobs";

/// Creates a product.
///
/// # Errors
/// [`Refusal::ProductTaken`], [`Refusal::RootInvalid`], [`Refusal::PrivateKey`],
/// [`Refusal::ServerKeyUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn create_product(
    app: &App,
    actor: &Actor,
    new: NewProduct,
) -> Result<ProductObject, OperationError> {
    actor.require(Permission::PublishReleases)?;
    if new.name.as_str() == BLOBS {
        let detail = format!("`{BLOBS}` stands for images in download paths; take another name");
        return Err(Refusal::invalid("name", detail).into());
    }
    let chip = chip(&new.chip, new.images)?;
    check_revisions(new.images, new.chip_revisions)?;
    let slot_bytes = slot_bytes(new.images, new.flash_bytes, new.slot_bytes)?;
    server_keys::refuse_private_key("root", &new.root)?;
    let root = RootDocument::verify_self_signed(&new.root)
        .map_err(|error| Refusal::RootInvalid { detail: error.to_string() })?;
    if root.number != 1 {
        let detail = format!("it is number {}, a new product begins with 1", root.number);
        return Err(Refusal::RootInvalid { detail }.into());
    }
    let (named, keys) = (root.server_key, roots::signing_keys(&root));
    let product = ProductRow {
        name: new.name,
        organisation: actor.scope.organisation().clone(),
        chip: chip.name().to_owned(),
        flash_bytes: new.flash_bytes,
        slot_bytes,
        public_download: new.public_download,
        images: new.images,
        chip_revisions: new.chip_revisions,
        limits: Limits::default(),
        consent: Consent::default(),
        settings: None,
        needs_approval: false,
        created_at: app.now_ms(),
    };
    let (scope, stored, who) = (actor.scope.clone(), product.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        server_keys::refuse_unknown(tx, &scope, named.as_ref())?;
        insert(tx, &scope, &stored, &new.root, &keys)?;
        let object = ProductObject::from(stored);
        let made = who.did("product.create", Object::new("product", &object.name)).made(&object);
        Ok::<_, OperationError>((object, made))
    };
    app.inner.store.audited(work).await
}

fn insert(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductRow,
    root: &[u8],
    keys: &[SigningKeyRow],
) -> Result<(), OperationError> {
    match otaru_store::insert_product(tx, scope, product) {
        Err(StoreError::Duplicate(_)) => {
            Err(Refusal::ProductTaken(product.name.to_string()).into())
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(otaru_store::insert_root(tx, scope, &product.name, 1, root, keys)?),
    }
}

fn chip(name: &str, images: ImageFormat) -> Result<Chip, Refusal> {
    let unknown = || Refusal::invalid("chip", format!("`{name}` is not a known chip"));
    let chip = Chip::from_str(name).map_err(|_| unknown())?;
    match (images, chip.runs_esp_images()) {
        (ImageFormat::EspIdf, false) => Err(unknown()),
        (ImageFormat::Raw, true) => {
            let detail = format!("images of {chip} are read; `raw` is for other chips");
            Err(Refusal::invalid("images", detail))
        }
        _ => Ok(chip),
    }
}

fn check_revisions(images: ImageFormat, revisions: Option<ChipRevisions>) -> Result<(), Refusal> {
    match revisions {
        Some(_) if images == ImageFormat::Raw => {
            Err(Refusal::invalid("chip_revisions", "raw images name no revisions"))
        }
        Some(range) if range.min > range.max => {
            Err(Refusal::invalid("chip_revisions", "the lowest is above the highest"))
        }
        _ => Ok(()),
    }
}

fn slot_bytes(images: ImageFormat, flash_bytes: u64, asked: Option<u64>) -> Result<u64, Refusal> {
    let step = slot_step(images);
    let room = flash_bytes.saturating_sub(reserved(images)) / 2;
    let most = room - room % step;
    let slot = asked.unwrap_or(most);
    if !slot.is_multiple_of(step) || !(step..=most).contains(&slot) {
        let detail = format!(
            "{slot} is not a multiple of {step} from {step} to {most}, \
             the most that fits twice into {flash_bytes} bytes of flash"
        );
        return Err(Refusal::invalid("slot_bytes", detail));
    }
    Ok(slot)
}

/// One product.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::Forbidden`].
pub async fn show_product(
    app: &App,
    actor: &Actor,
    name: ProductName,
) -> Result<ProductObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let row = app.inner.store.read(move |tx| known(tx, &scope, &name)).await?;
    Ok(row.into())
}

/// Products, by name.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`].
pub async fn list_products(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<ProductObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let rows =
        app.inner.store.read(move |tx| otaru_store::products(tx, &scope, &after, limit)).await?;
    Ok(Page::of(rows, limit, |row| row.name.to_string(), ProductObject::from))
}

/// Changes how long updates of a product may stay silent in each phase; a limit that is not
/// named stays as it is.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn set_product_limits(
    app: &App,
    actor: &Actor,
    name: ProductName,
    changes: Map<String, Value>,
) -> Result<ProductObject, OperationError> {
    actor.require(Permission::OperateDevices)?;
    let set = move |tx: &mut Tx<'_>, scope: &Scope, known: &ProductRow| {
        let limits = changed_limits(&known.limits, changes)?;
        Ok(otaru_store::set_product_limits(tx, scope, &known.name, &limits)?)
    };
    let changed = change(app, actor, "product.set_limits", name.clone(), set).await?;
    updates::renew_deadlines(app, &actor.scope, &name).await?;
    Ok(changed)
}

/// Says which chip revisions the devices of a product have, so that an image that does not run
/// on all of them is refused; `None` if that is not known.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn set_chip_revisions(
    app: &App,
    actor: &Actor,
    name: ProductName,
    revisions: Option<ChipRevisions>,
) -> Result<ProductObject, OperationError> {
    actor.require(Permission::PublishReleases)?;
    let set = move |tx: &mut Tx<'_>, scope: &Scope, known: &ProductRow| {
        check_revisions(known.images, revisions)?;
        Ok(otaru_store::set_chip_revisions(tx, scope, &known.name, revisions)?)
    };
    change(app, actor, "product.set_chip_revisions", name, set).await
}

/// Changes a product, and notes what of it became another.
pub(crate) async fn change(
    app: &App,
    actor: &Actor,
    action: &'static str,
    name: ProductName,
    set: impl FnOnce(&mut Tx<'_>, &Scope, &ProductRow) -> Result<(), OperationError> + Send + 'static,
) -> Result<ProductObject, OperationError> {
    let (scope, who) = (actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let before = known(tx, &scope, &name)?;
        set(tx, &scope, &before)?;
        let (before, after) = (before.into(), ProductObject::from(known(tx, &scope, &name)?));
        let entry: Option<Entry> = who.did(action, Object::product(&name)).changed(&before, &after);
        Ok::<_, OperationError>((after, entry))
    };
    app.inner.store.audited(work).await
}

/// Sets who decides when a product's releases are installed. What that changes for releases
/// that are out already is looked at device by device.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn set_product_consent(
    app: &App,
    actor: &Actor,
    name: ProductName,
    consent: Consent,
) -> Result<ProductObject, OperationError> {
    actor.require(Permission::PublishReleases)?;
    if !consent.is_sane() {
        return Err(Refusal::invalid("deadline_days", "it is 1 to 365").into());
    }
    let set = move |tx: &mut Tx<'_>, scope: &Scope, known: &ProductRow| {
        otaru_store::set_product_consent(tx, scope, &known.name, &consent)?;
        Ok(otaru_store::tell_again_of_newest(tx, scope, &known.name)?)
    };
    let changed = change(app, actor, "product.set_consent", name, set).await?;
    let app = app.clone();
    aftermath::begin(async move { aftermath::finish_releases(&app).await }).await;
    Ok(changed)
}

/// Describes a product's settings; `None` lets any member of `config` be set.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn set_product_settings(
    app: &App,
    actor: &Actor,
    name: ProductName,
    settings: Option<Vec<Setting>>,
) -> Result<ProductObject, OperationError> {
    actor.require(Permission::PublishReleases)?;
    if let Some(fault) = settings.as_deref().and_then(settings_fault) {
        return Err(Refusal::invalid("settings", fault).into());
    }
    let set = move |tx: &mut Tx<'_>, scope: &Scope, known: &ProductRow| {
        Ok(otaru_store::set_product_settings(tx, scope, &known.name, settings.as_deref())?)
    };
    change(app, actor, "product.set_settings", name, set).await
}

fn changed_limits(limits: &Limits, changes: Map<String, Value>) -> Result<Limits, Refusal> {
    let invalid = |detail: String| Refusal::invalid("limits", detail);
    let mut all = serde_json::to_value(limits).map_err(|error| invalid(error.to_string()))?;
    if let Some(all) = all.as_object_mut() {
        all.extend(changes);
    }
    let limits: Limits = serde_json::from_value(all).map_err(|error| invalid(error.to_string()))?;
    match limits.is_sane() {
        true => Ok(limits),
        false => Err(invalid("each must be 1 second to 30 days".to_owned())),
    }
}

/// The product, or the refusal that says it does not exist.
pub(crate) fn known(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
) -> Result<ProductRow, OperationError> {
    let product = otaru_store::product(tx, scope, name)?;
    Ok(product.ok_or_else(|| Refusal::ProductUnknown(name.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_not_named_stays() {
        let changes =
            |json: &str| changed_limits(&Limits::default(), serde_json::from_str(json).unwrap());
        let limits = changes(r#"{"notified_ms":2000}"#).unwrap();
        assert_eq!(limits, Limits { notified_ms: 2_000, ..Limits::default() });
        for wrong in [r#"{"notified_ms":1}"#, r#"{"notified_ms":"2 s"}"#, r#"{"patience_ms":2000}"#]
        {
            assert!(changes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_slots_fit_into_the_flash() {
        let slot = |asked| slot_bytes(ImageFormat::EspIdf, 4 << 20, asked);
        assert_eq!(slot(None), Ok(0x1F_0000));
        assert_eq!(slot(Some(0x18_0000)), Ok(0x18_0000));
        for wrong in [0, 4096, 0x20_0000, u64::MAX] {
            assert!(slot(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(slot_bytes(ImageFormat::EspIdf, 0, None).is_err());
        assert_eq!(slot_bytes(ImageFormat::Raw, 1 << 20, None), Ok(1 << 19));
        assert_eq!(slot_bytes(ImageFormat::Raw, 1 << 20, Some(0x7_6000)), Ok(0x7_6000));
    }
}
