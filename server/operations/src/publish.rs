//! Publishing: an image and its signed manifest become a release or a draft, or nothing is stored.

mod admission;

use std::sync::Arc;

use bytes::Bytes;
use otaru_fleet::{ApprovalState, Safety, Sbom, Source, Texts};
use otaru_release::Manifest;
use otaru_store::{ProductRow, ReleaseRow, Scope, StoreError, Trust, Tx};
use otaru_wire::ProductName;

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, OperationError, Refusal, ReleaseObject, approvals,
    approvals::Publisher,
    images, intake, products,
    refusal::typed_text,
    releases::{channel, either, may_publish, show_change, tell},
    uploads,
};
use admission::{Admitted, InsteadOf, admit};
pub(crate) use admission::{promotable, promote};

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
    publisher: Publisher,
    /// Whether the publisher said which channel it is for.
    names_channel: bool,
    /// What the manifest says.
    said: Manifest,
}

/// Checks and publishes a release, or stores it as a draft. Publishing it again with the same
/// manifest returns the release; publishing a draft again publishes it, with what is said anew.
///
/// A manifest that devices would refuse, because its signer was revoked or replaced since, gives
/// way to one that is signed anew.
///
/// Where the product needs approval, what is published waits for it. Of all else owners are told
/// after the commit, as many as there are.
///
/// # Errors
/// [`Refusal::ImageRefused`], [`Refusal::ManifestMissing`], [`Refusal::ManifestUntrusted`],
/// [`Refusal::ManifestMismatch`], [`Refusal::ManifestDiffers`], [`Refusal::VersionTaken`],
/// [`Refusal::SequenceTaken`], [`Refusal::DowngradeUnmarked`], [`Refusal::ReleaseYanked`],
/// [`Refusal::ImageBeingDeleted`], [`Refusal::SecurityCounterOlder`], [`Refusal::FlashModeDiffers`],
/// [`Refusal::ProjectMissing`], [`Refusal::SbomInvalid`], [`Refusal::UploadUnknown`],
/// [`Refusal::UploadIncomplete`], [`Refusal::UploadCorrupt`], [`Refusal::StorageFull`],
/// [`Refusal::ReleaseRejected`], [`Refusal::ApprovalNeedsVersion`], [`Refusal::ProductUnknown`],
/// [`Refusal::Forbidden`]. Nothing is stored then.
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
    let candidate = Arc::new(candidate(app, actor, new, image.clone()).await?);
    let (scope, asked, now) = (actor.scope.clone(), candidate.clone(), app.now_ms());
    let admitted = app.inner.store.read(move |tx| admit(tx, &scope, &asked, now)).await?;
    let (release, is_new) = match admitted {
        Admitted::Known(known) => (known, false),
        Admitted::Stored { .. } => {
            let (scope, who) = (actor.scope.clone(), Who::of(actor));
            let digest = candidate.release.sha256;
            images::put_and(app, image, &digest, move |tx| {
                store_release(tx, &scope, &who, &candidate, now)
            })
            .await?
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
    let signed = new.manifest.unwrap_or_default();
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
        approval: None,
        created_at: now,
        yanked_at: None,
        yank_reason: None,
        image_deleted_at: None,
        signer: Manifest::signer(&signed).ok().map(|key_id| key_id.to_string()),
        trust: Trust::Trusted,
    };
    let names_channel = new.channel.is_some();
    let (accept, sbom) = (new.accept, new.sbom);
    let (publisher, said) = (Publisher::of(actor), manifest);
    Ok(Candidate { release, manifest: signed, sbom, accept, publisher, names_channel, said })
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

fn store_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: &Who,
    candidate: &Candidate,
    now: i64,
) -> Result<((ReleaseRow, bool), Option<Entry>), OperationError> {
    // Once more: another publisher may have been faster since.
    products::known(tx, scope, &candidate.release.product)?;
    let before = either(tx, scope, &candidate.release.product, &candidate.release.version)?;
    let (release, instead_of, is_new) = match admit(tx, scope, candidate, now)? {
        Admitted::Known(known) => return Ok(((known, false), None)),
        Admitted::Stored { release, instead_of, is_new } => (release, instead_of, is_new),
    };
    let release = candidate.publisher.settle(tx, scope, release, before.as_ref(), now)?;
    if release.is_draft && instead_of == InsteadOf::Release {
        return Err(Refusal::ApprovalNeedsVersion(release.version.to_string()).into());
    }
    if let Some((sbom, document)) = release.sbom.as_ref().zip(candidate.sbom.as_deref()) {
        otaru_store::put_sbom(tx, scope, &sbom.sha256, document, release.created_at)?;
    }
    if instead_of == InsteadOf::Draft {
        otaru_store::delete_draft(tx, scope, &release.product, &release.version)?;
    }
    let manifest = &candidate.manifest;
    match instead_of {
        InsteadOf::Release => otaru_store::replace_release(tx, scope, &release, manifest)?,
        _ if release.is_draft => otaru_store::insert_draft(tx, scope, &release, manifest)?,
        _ => otaru_store::insert_release(tx, scope, &release, manifest)?,
    }
    show_change(tx, scope, &release.product, &release.version);
    let entry = entry(who.clone(), before, &release, instead_of);
    Ok(((release, is_new), entry))
}

/// What is to be said of a release that was stored instead of `before`, if that was there.
fn entry(
    who: Who,
    before: Option<ReleaseRow>,
    release: &ReleaseRow,
    instead_of: InsteadOf,
) -> Option<Entry> {
    let action = match instead_of {
        _ if approvals::state(release) == ApprovalState::Waiting => "release.publish",
        _ if release.is_draft => "release.draft",
        InsteadOf::Release => "release.sign_anew",
        InsteadOf::Draft | InsteadOf::Nothing => "release.publish",
    };
    let did = who.did(action, Object::release(&release.product, &release.version));
    let after = ReleaseObject::from(release.clone());
    match before {
        // Signed anew with another end is another manifest, whatever else stays.
        Some(_) if instead_of == InsteadOf::Release => Some(did.made(&after)),
        Some(before) => did.changed(&before.into(), &after),
        None => Some(did.made(&after)),
    }
}
