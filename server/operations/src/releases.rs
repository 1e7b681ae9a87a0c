//! Publishing: an image and its signed manifest become a release, or nothing is stored.

use bytes::Bytes;
use otaru_fleet::{Permission, Safety, Texts};
use otaru_release::{Chip, Image, ImageError, ImageFacts, Manifest, ManifestError, RootDocument};
use otaru_store::{ProductRow, ReleaseRow, Scope, StoreError, Tx};
use otaru_wire::{ProductName, ReleaseVersion};

use crate::{
    Actor, App, OperationError, Page, PageRequest, Refusal, ReleaseObject, aftermath,
    device_offers, downgrades, products, refusal::typed_text, server_keys,
};

/// Longest notes, in bytes.
const NOTES_BYTES: usize = 16 * 1024;

/// Highest sequence number: what every database and JSON reader can hold. A product whose
/// last release has it would have no next one.
const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// A release to publish.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// Product it is for.
    pub product: ProductName,
    /// The firmware.
    pub image: Bytes,
    /// What a release key says about it; `None` is refused with its own code.
    pub manifest: Option<Bytes>,
    /// Plain-language notes.
    pub notes: Texts,
    /// What makes it urgent, if anything.
    pub safety: Option<Safety>,
    /// `stable` if `None`.
    pub channel: Option<String>,
}

/// Refuses who may not publish: to be asked before an upload is read.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub fn may_publish(actor: &Actor) -> Result<(), Refusal> {
    actor.require(Permission::PublishReleases)
}

/// Checks and publishes a release. Publishing the same bytes again returns the release.
///
/// Owners are told of it after the commit, as many as there are.
///
/// # Errors
/// [`Refusal::ImageRefused`], [`Refusal::ManifestMissing`], [`Refusal::ManifestUntrusted`],
/// [`Refusal::ManifestMismatch`], [`Refusal::VersionTaken`], [`Refusal::SequenceTaken`],
/// [`Refusal::ProductUnknown`], [`Refusal::Forbidden`]. Nothing is stored then.
pub async fn publish_release(
    app: &App,
    actor: &Actor,
    new: NewRelease,
) -> Result<(ReleaseObject, bool), OperationError> {
    may_publish(actor)?;
    let channel = channel(new.channel.as_deref())?;
    if let Some(fault) = new.notes.fault(NOTES_BYTES) {
        return Err(Refusal::invalid("notes", fault).into());
    }
    for (_, text) in new.notes.iter() {
        typed_text("notes", text)?;
    }
    if let Some(fault) = new.safety.as_ref().and_then(Safety::fault) {
        return Err(Refusal::invalid("safety", fault).into());
    }
    let (scope, name) = (actor.scope.clone(), new.product.clone());
    let (product, root) =
        app.inner.store.read(move |tx| product_and_root(tx, &scope, &name)).await?;
    let now = app.now_ms();
    let (image, manifest_bytes) = (new.image.clone(), new.manifest.clone());
    // Hashing megabytes must not hold up the tasks of this thread.
    let checked = tokio::task::spawn_blocking(move || {
        check(&product, &root, &image, manifest_bytes.as_deref(), now / 1_000)
    });
    let manifest = checked.await.map_err(|_| StoreError::Closed)??;
    let release = ReleaseRow {
        product: new.product,
        version: manifest.version.clone(),
        sha256: manifest.sha256,
        size_bytes: manifest.size_bytes,
        sequence: manifest.sequence,
        channel,
        notes: new.notes,
        safety: new.safety,
        created_at: now,
        yanked_at: None,
    };
    if let Some(published) = published_before(app, actor, &release).await? {
        return Ok((published.into(), false));
    }
    if !manifest.is_downgrade {
        let (scope, release) = (actor.scope.clone(), release.clone());
        let work = move |tx: &mut Tx<'_>| downgrades::refuse_unmarked(tx, &scope, &release);
        app.inner.store.read(work).await?;
    }
    // The image is durable before the row that names it.
    app.inner.blobs.put(new.image).await?;
    let scope = actor.scope.clone();
    let signed = new.manifest.unwrap_or_default();
    let work = move |tx: &mut Tx<'_>| store_release(tx, &scope, &release, &signed);
    let (release, is_new) = app.inner.store.write(work).await?;
    if is_new {
        let (app, scope) = (app.clone(), actor.scope.clone());
        let (product, version) = (release.product.clone(), release.version.clone());
        let told = async move { aftermath::tell_owners(&app, &scope, &product, &version).await };
        aftermath::begin(told).await;
    }
    Ok((release.into(), is_new))
}

fn channel(asked: Option<&str>) -> Result<String, Refusal> {
    let channel = asked.unwrap_or("stable");
    let valid = (1..=32).contains(&channel.len())
        && channel
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match valid {
        true => Ok(channel.to_owned()),
        false => {
            Err(Refusal::invalid("channel", format!("`{channel}` is not 1 to 32 of [a-z0-9-]")))
        }
    }
}

fn product_and_root(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
) -> Result<(ProductRow, Vec<u8>), OperationError> {
    let product = products::known(tx, scope, name)?;
    let root = otaru_store::root_document(tx, scope, name, None)?;
    let (_, root) = root.ok_or_else(|| Refusal::ProductUnknown(name.to_string()))?;
    Ok((product, root))
}

/// Everything that can be said of an upload before anything is stored.
fn check(
    product: &ProductRow,
    root: &[u8],
    image: &[u8],
    manifest: Option<&[u8]>,
    now_s: i64,
) -> Result<Manifest, Refusal> {
    server_keys::refuse_key_as_image(image)?;
    let facts = Image::parse(image).map_err(image_refused)?;
    fits(product, &facts)?;
    let manifest = manifest.filter(|bytes| !bytes.is_empty()).ok_or(Refusal::ManifestMissing)?;
    server_keys::refuse_private_key("manifest", manifest)?;
    let root = RootDocument::read_trusted(root)
        .map_err(|error| Refusal::RootInvalid { detail: error.to_string() })?;
    let manifest = Manifest::verify(manifest, &root, Some(now_s)).map_err(manifest_refused)?;
    if manifest.product != product.name {
        return Err(Refusal::ManifestMismatch {
            what: "product",
            found: manifest.product.to_string(),
            expected: product.name.to_string(),
        });
    }
    manifest.describes(&facts).map_err(manifest_refused)?;
    manifest.describes_chunks(image).map_err(manifest_refused)?;
    if manifest.sequence > SEQUENCE_MAX {
        return Err(Refusal::invalid("sequence", format!("above {SEQUENCE_MAX}")));
    }
    Ok(manifest)
}

fn fits(product: &ProductRow, facts: &ImageFacts) -> Result<(), Refusal> {
    let chip: Chip = product
        .chip
        .parse()
        .map_err(|_| Refusal::invalid("chip", format!("`{}` is not a known chip", product.chip)))?;
    facts.fits(chip, product.slot_bytes).map_err(image_refused)?;
    let flash_bytes = u32::try_from(product.flash_bytes).unwrap_or(u32::MAX);
    facts.fits_flash(flash_bytes).map_err(image_refused)
}

fn image_refused(error: ImageError) -> Refusal {
    Refusal::ImageRefused {
        code: error.code(),
        detail: error.to_string(),
        found: error.found(),
        expected: error.expected(),
    }
}

fn manifest_refused(error: ManifestError) -> Refusal {
    match error.code() {
        "manifest_mismatch" => Refusal::ManifestMismatch {
            what: "image",
            found: error.found(),
            expected: error.expected(),
        },
        "manifest_untrusted" => {
            Refusal::ManifestUntrusted { found: error.found(), expected: error.expected() }
        }
        code => Refusal::ImageRefused {
            code,
            detail: error.to_string(),
            found: error.found(),
            expected: error.expected(),
        },
    }
}

/// The release, if exactly these bytes were published under this version before.
async fn published_before(
    app: &App,
    actor: &Actor,
    release: &ReleaseRow,
) -> Result<Option<ReleaseRow>, OperationError> {
    let (scope, release) = (actor.scope.clone(), release.clone());
    app.inner.store.read(move |tx| publishable(tx, &scope, &release)).await
}

/// The same release if it is there already; refuses what can never be stored beside what is.
fn publishable(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<Option<ReleaseRow>, OperationError> {
    if let Some(known) = same_release(tx, scope, release)? {
        return Ok(Some(known));
    }
    let last = otaru_store::last_sequence(tx, scope, &release.product)?;
    match release.sequence > last {
        true => Ok(None),
        false => Err(Refusal::SequenceTaken { found: release.sequence, last }.into()),
    }
}

fn same_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<Option<ReleaseRow>, OperationError> {
    match otaru_store::release(tx, scope, &release.product, &release.version)? {
        Some(known) if known.sha256 == release.sha256 => Ok(Some(known)),
        Some(known) => Err(Refusal::VersionTaken {
            version: known.version.to_string(),
            found: release.sha256.to_string(),
            expected: known.sha256.to_string(),
        }
        .into()),
        None => Ok(None),
    }
}

fn store_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    manifest: &[u8],
) -> Result<(ReleaseRow, bool), OperationError> {
    // Once more: another publisher may have been faster since.
    products::known(tx, scope, &release.product)?;
    if let Some(known) = publishable(tx, scope, release)? {
        return Ok((known, false));
    }
    otaru_store::insert_release(tx, scope, release, manifest)?;
    Ok((release.clone(), true))
}

/// The sequence number the next release of a product must have at least.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::Forbidden`].
pub async fn next_sequence(
    app: &App,
    actor: &Actor,
    product: ProductName,
) -> Result<u64, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        products::known(tx, &scope, &product)?;
        Ok::<_, OperationError>(otaru_store::last_sequence(tx, &scope, &product)? + 1)
    };
    app.inner.store.read(work).await
}

/// One release.
///
/// # Errors
/// [`Refusal::ReleaseUnknown`], [`Refusal::Forbidden`].
pub async fn show_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<ReleaseObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let row = app.inner.store.read(move |tx| known(tx, &scope, &product, &version)).await?;
    Ok(row.into())
}

/// Releases of a product, newest first.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::InvalidCursor`], [`Refusal::Forbidden`].
pub async fn list_releases(
    app: &App,
    actor: &Actor,
    product: ProductName,
    page: PageRequest,
) -> Result<Page<ReleaseObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, below) = (actor.scope.clone(), page.limit()?, page.number(i64::MAX)?);
    let work = move |tx: &mut Tx<'_>| {
        products::known(tx, &scope, &product)?;
        Ok::<_, OperationError>(otaru_store::releases(
            tx,
            &scope,
            &product,
            below.unsigned_abs(),
            limit,
        )?)
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.sequence.to_string(), ReleaseObject::from))
}

/// Withdraws a release: nobody can install it any more, and updates to it that have not
/// restarted yet are cancelled, one after another. Withdrawing it again changes nothing.
///
/// # Errors
/// [`Refusal::ReleaseUnknown`], [`Refusal::Forbidden`].
pub async fn yank_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<ReleaseObject, OperationError> {
    actor.require(Permission::PublishReleases)?;
    let (scope, now) = (actor.scope.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        known(tx, &scope, &product, &version)?;
        otaru_store::yank_release(tx, &scope, &product, &version, now)?;
        device_offers::withdraw(tx, &scope, &product, &version, now)?;
        known(tx, &scope, &product, &version)
    };
    let release = app.inner.store.write(work).await?;
    let app = app.clone();
    aftermath::begin(async move { aftermath::cancel_yanked(&app).await }).await;
    Ok(release.into())
}

fn known(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<ReleaseRow, OperationError> {
    let release = otaru_store::release(tx, scope, product, version)?;
    Ok(release.ok_or_else(|| Refusal::ReleaseUnknown {
        product: product.to_string(),
        version: version.to_string(),
    })?)
}
