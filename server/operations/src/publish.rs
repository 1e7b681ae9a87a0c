//! Publishing: an image and its signed manifest become a release or a draft, or nothing is stored.

use bytes::Bytes;
use otaru_fleet::{Safety, Sbom, Source, Texts};
use otaru_store::{ProductRow, ReleaseRow, Scope, StoreError, Tx};
use otaru_wire::ProductName;

use crate::{
    Actor, App, OperationError, Refusal, ReleaseObject, downgrades, intake, products,
    refusal::typed_text,
    releases::{above_floor, channel, either, may_publish, promote, tell},
    uploads,
};

/// Longest notes, in bytes.
const NOTES_BYTES: usize = 16 * 1024;

/// What a publisher can accept although it is refused otherwise.
const FLASH_MODE: &str = "flash_mode_differs";

/// A release to publish.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// Product it is for.
    pub product: ProductName,
    /// The firmware.
    pub image: NewImage,
    /// What a release key says about it; `None` is refused with its own code.
    pub manifest: Option<Bytes>,
    /// Plain-language notes.
    pub notes: Texts,
    /// What makes it urgent, if anything.
    pub safety: Option<Safety>,
    /// `stable` if `None`.
    pub channel: Option<String>,
    /// Store it, and tell nobody yet.
    pub is_draft: bool,
    /// The project, where the image does not name one.
    pub project: Option<String>,
    /// What it was built from.
    pub source: Option<Source>,
    /// What is in it, as CycloneDX or SPDX.
    pub sbom: Option<Bytes>,
    /// Codes of refusals that the publisher has seen and accepts.
    pub accept: Vec<String>,
}

/// Where the bytes of a firmware are.
#[derive(Clone, Debug)]
pub enum NewImage {
    /// Here.
    Bytes(Bytes),
    /// In an upload that is complete, by its id.
    Upload(String),
}

/// What is to be stored, checked as far as that goes without the database.
struct Candidate {
    release: ReleaseRow,
    manifest: Bytes,
    sbom: Option<Bytes>,
    accept: Vec<String>,
    /// Whether the manifest says that older software is meant.
    is_downgrade: bool,
}

/// Checks and publishes a release, or stores it as a draft. Publishing the same bytes again
/// returns the release; publishing those of a draft publishes the draft.
///
/// Owners are told of it after the commit, as many as there are.
///
/// # Errors
/// [`Refusal::ImageRefused`], [`Refusal::ManifestMissing`], [`Refusal::ManifestUntrusted`],
/// [`Refusal::ManifestMismatch`], [`Refusal::VersionTaken`], [`Refusal::SequenceTaken`],
/// [`Refusal::SecurityCounterOlder`], [`Refusal::FlashModeDiffers`],
/// [`Refusal::ProjectMissing`], [`Refusal::SbomInvalid`], [`Refusal::UploadUnknown`],
/// [`Refusal::UploadIncomplete`], [`Refusal::UploadCorrupt`], [`Refusal::StorageFull`],
/// [`Refusal::ProductUnknown`], [`Refusal::Forbidden`]. Nothing is stored then.
pub async fn publish_release(
    app: &App,
    actor: &Actor,
    new: NewRelease,
) -> Result<(ReleaseObject, bool), OperationError> {
    may_publish(actor)?;
    let image = match &new.image {
        NewImage::Bytes(bytes) => bytes.clone(),
        NewImage::Upload(id) => uploads::collect(app, actor, id).await?,
    };
    let upload = match &new.image {
        NewImage::Bytes(_) => None,
        NewImage::Upload(id) => Some(id.clone()),
    };
    let candidate = candidate(app, actor, new, image.clone()).await?;
    let scope = actor.scope.clone();
    let (candidate, admitted) = app
        .inner
        .store
        .read(move |tx| {
            let admitted = admit(tx, &scope, &candidate)?;
            Ok::<_, OperationError>((candidate, admitted))
        })
        .await?;
    let (release, is_new) = match admitted {
        Admitted::Known(known) => (known, false),
        // The image is durable before the row that names it, and nobody deletes it in between.
        Admitted::Draft(_) | Admitted::New(_) => {
            let _kept = app.inner.images.read().await;
            app.inner.blobs.put(image.clone()).await?;
            let scope = actor.scope.clone();
            let work = move |tx: &mut Tx<'_>| store_release(tx, &scope, &candidate);
            let stored = app.inner.store.write(work).await?;
            // Another node may have deleted the same bytes of another release meanwhile.
            if !app.inner.blobs.exists(&stored.0.sha256).await? {
                app.inner.blobs.put(image).await?;
            }
            stored
        }
    };
    if let Some(id) = upload {
        uploads::forget_used(app, actor, &id).await;
    }
    if is_new && !release.is_draft {
        tell(app, actor, &release).await;
    }
    Ok((release.into(), is_new))
}

/// Everything that can be said before the database is asked about other releases.
async fn candidate(
    app: &App,
    actor: &Actor,
    new: NewRelease,
    image: Bytes,
) -> Result<Candidate, OperationError> {
    let channel = channel(new.channel.as_deref())?;
    check_words(&new)?;
    let sbom = new.sbom.as_deref().map(Sbom::read).transpose();
    let sbom =
        sbom.map_err(|not| Refusal::SbomInvalid { found: not.found, expected: not.expected })?;
    let (scope, name) = (actor.scope.clone(), new.product.clone());
    let (product, root) =
        app.inner.store.read(move |tx| product_and_root(tx, &scope, &name)).await?;
    let now = app.now_ms();
    let (manifest_bytes, project) = (new.manifest.clone(), new.project);
    // Hashing megabytes must not hold up the tasks of this thread.
    let checked = tokio::task::spawn_blocking(move || {
        intake::check(&intake::Upload {
            product: &product,
            root: &root,
            image: &image,
            manifest: manifest_bytes.as_deref(),
            project: project.as_deref(),
            now_s: now / 1_000,
        })
    });
    let (manifest, record) = checked.await.map_err(|_| StoreError::Closed)??;
    let release = ReleaseRow {
        product: new.product,
        version: manifest.version.clone(),
        sha256: manifest.sha256,
        size_bytes: manifest.size_bytes,
        sequence: manifest.sequence,
        channel,
        notes: new.notes,
        safety: new.safety,
        image: Some(record),
        warnings: Vec::new(),
        security_counter: Some(manifest.security_counter),
        source: new.source,
        sbom,
        is_draft: new.is_draft,
        created_at: now,
        yanked_at: None,
        yank_reason: None,
        image_deleted_at: None,
    };
    let (accept, sbom, is_downgrade) = (new.accept, new.sbom, manifest.is_downgrade);
    let manifest = new.manifest.unwrap_or_default();
    Ok(Candidate { release, manifest, sbom, accept, is_downgrade })
}

/// What people and programs say about a release, besides image and manifest.
fn check_words(new: &NewRelease) -> Result<(), Refusal> {
    if let Some(fault) = new.notes.fault(NOTES_BYTES) {
        return Err(Refusal::invalid("notes", fault));
    }
    for (_, text) in new.notes.iter() {
        typed_text("notes", text)?;
    }
    if let Some(fault) = new.safety.as_ref().and_then(Safety::fault) {
        return Err(Refusal::invalid("safety", fault));
    }
    if let Some(fault) = new.source.as_ref().and_then(Source::fault) {
        return Err(Refusal::invalid("source", fault));
    }
    match new.accept.iter().find(|code| *code != FLASH_MODE) {
        Some(code) => Err(Refusal::invalid("accept", format!("`{code}` cannot be accepted"))),
        None => Ok(()),
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

/// What becomes of a candidate.
enum Admitted {
    /// It is there already, as it should be.
    Known(ReleaseRow),
    /// It is there as a draft, and is to be published.
    Draft(ReleaseRow),
    /// It can be stored.
    New(ReleaseRow),
}

/// Refuses what can never be stored beside what is.
fn admit(
    tx: &mut Tx<'_>,
    scope: &Scope,
    candidate: &Candidate,
) -> Result<Admitted, OperationError> {
    let release = &candidate.release;
    if let Some(known) = same_release(tx, scope, release)? {
        return Ok(match known.is_draft && !release.is_draft {
            true => Admitted::Draft(known),
            false => Admitted::Known(known),
        });
    }
    let last = otaru_store::last_sequence(tx, scope, &release.product)?;
    if release.sequence <= last {
        return Err(Refusal::SequenceTaken { found: release.sequence, last }.into());
    }
    above_floor(tx, scope, release)?;
    if !candidate.is_downgrade {
        downgrades::refuse_unmarked(tx, scope, release)?;
    }
    let before = otaru_store::last_release(tx, scope, &release.product)?;
    let before = before.as_ref().and_then(|before| before.image.as_ref());
    let changed = release.image.as_ref().zip(before);
    let changed = changed.and_then(|(image, before)| image.flash_mode_change(before));
    if let Some((found, expected)) = changed
        && !candidate.accept.iter().any(|code| code == FLASH_MODE)
    {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        return Err(Refusal::FlashModeDiffers { found, expected }.into());
    }
    let warnings = release.image.as_ref().map(|image| image.warnings(before));
    Ok(Admitted::New(ReleaseRow { warnings: warnings.unwrap_or_default(), ..release.clone() }))
}

fn same_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<Option<ReleaseRow>, OperationError> {
    match either(tx, scope, &release.product, &release.version)? {
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
    candidate: &Candidate,
) -> Result<(ReleaseRow, bool), OperationError> {
    // Once more: another publisher may have been faster since.
    products::known(tx, scope, &candidate.release.product)?;
    let release = match admit(tx, scope, candidate)? {
        Admitted::Known(known) => return Ok((known, false)),
        Admitted::Draft(draft) => {
            return Ok((promote(tx, scope, draft, candidate.release.created_at)?, true));
        }
        Admitted::New(release) => release,
    };
    if let Some((sbom, document)) = release.sbom.as_ref().zip(candidate.sbom.as_deref()) {
        otaru_store::put_sbom(tx, scope, &sbom.sha256, document, release.created_at)?;
    }
    match release.is_draft {
        true => otaru_store::insert_draft(tx, scope, &release, &candidate.manifest)?,
        false => otaru_store::insert_release(tx, scope, &release, &candidate.manifest)?,
    }
    Ok((release, true))
}
