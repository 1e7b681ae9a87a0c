//! Images on their way: bit by bit, over cut connections and restarts of the server.

use bytes::Bytes;
use otaru_blobs::BlobError;
use otaru_store::{Scope, StoreError, SystemScope, Tx, UploadRow};
use otaru_wire::Digest;

use crate::{Actor, App, OperationError, Refusal, UploadObject, releases::may_publish};

/// The longest image: the largest flash an ESP32 can address is 32 MiB, and gateways with
/// more should not need a different server.
pub const MAX_IMAGE_BYTES: u64 = 64 * 1024 * 1024;

/// Uploads an organisation may have begun: what they cost in storage is bounded.
const MOST_UPLOADS: u64 = 32;

/// How long an upload that does not grow is kept.
pub(crate) const UPLOAD_IDLE_MS: i64 = 24 * 60 * 60 * 1_000;

/// Begins the upload of an image; where its sender says what it hashes to, goes on with the
/// one that was begun before.
///
/// # Errors
/// [`Refusal::InvalidField`], [`Refusal::TooManyUploads`], [`Refusal::Forbidden`].
pub async fn begin_upload(
    app: &App,
    actor: &Actor,
    size_bytes: u64,
    sha256: Option<Digest>,
) -> Result<UploadObject, OperationError> {
    may_publish(actor)?;
    if !(1..=MAX_IMAGE_BYTES).contains(&size_bytes) {
        let detail = format!("{size_bytes} is not 1 to {MAX_IMAGE_BYTES}");
        return Err(Refusal::invalid("size", detail).into());
    }
    let (scope, now) = (actor.scope.clone(), app.now_ms());
    let id = uuid::Uuid::new_v4().to_string();
    let work = move |tx: &mut Tx<'_>| {
        if let Some(sha256) = &sha256
            && let Some(known) = otaru_store::upload_of_image(tx, &scope, sha256, size_bytes)?
        {
            return Ok(known);
        }
        if otaru_store::count_uploads(tx, &scope)? >= MOST_UPLOADS {
            return Err(Refusal::TooManyUploads.into());
        }
        otaru_store::insert_upload(tx, &scope, &id, size_bytes, sha256.as_ref(), now)?;
        known(tx, &scope, &id)
    };
    Ok(app.inner.store.write(work).await?.into())
}

/// How far an upload is.
///
/// # Errors
/// [`Refusal::UploadUnknown`], [`Refusal::Forbidden`].
pub async fn show_upload(
    app: &App,
    actor: &Actor,
    id: &str,
) -> Result<UploadObject, OperationError> {
    Ok(found(app, actor, id).await?.into())
}

/// Stores the bytes of an upload from `from` on; they are durable when it returns.
///
/// # Errors
/// [`Refusal::UploadOffset`] when the upload is elsewhere, [`Refusal::UploadUnknown`],
/// [`Refusal::StorageFull`], [`Refusal::Forbidden`].
pub async fn grow_upload(
    app: &App,
    actor: &Actor,
    id: &str,
    from: u64,
    bytes: Bytes,
) -> Result<UploadObject, OperationError> {
    let upload = found(app, actor, id).await?;
    let to = from.saturating_add(bytes.len() as u64);
    let elsewhere = move |at| Refusal::UploadOffset { found: from, expected: at };
    if upload.received_bytes != from || to > upload.size_bytes {
        return Err(elsewhere(upload.received_bytes).into());
    }
    if !bytes.is_empty() {
        app.inner.blobs.put_piece(id, from, bytes).await?;
    }
    let (scope, id, now) = (actor.scope.clone(), id.to_owned(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let has_grown = otaru_store::grow_upload(tx, &scope, &id, from, to, now)?;
        let upload = known(tx, &scope, &id)?;
        match has_grown {
            true => Ok::<_, OperationError>(upload),
            false => Err(elsewhere(upload.received_bytes).into()),
        }
    };
    Ok(app.inner.store.write(work).await?.into())
}

/// Forgets an upload and what there is of it.
///
/// # Errors
/// [`Refusal::UploadUnknown`], [`Refusal::Forbidden`].
pub async fn cancel_upload(app: &App, actor: &Actor, id: &str) -> Result<(), OperationError> {
    found(app, actor, id).await?;
    forget(app, actor, id).await
}

/// The image of a complete upload.
pub(crate) async fn collect(app: &App, actor: &Actor, id: &str) -> Result<Bytes, OperationError> {
    let upload = found(app, actor, id).await?;
    let (found, expected) = (upload.received_bytes, upload.size_bytes);
    if found != expected {
        return Err(Refusal::UploadIncomplete { found, expected }.into());
    }
    let image = match app.inner.blobs.collect(id, expected).await {
        Ok(image) => image,
        Err(BlobError::Incomplete { received_bytes, .. }) => {
            // Somebody else emptied the store: the sender begins anew.
            forget(app, actor, id).await?;
            return Err(Refusal::UploadIncomplete { found: received_bytes, expected }.into());
        }
        Err(error) => return Err(error.into()),
    };
    let Some(expected) = upload.sha256 else { return Ok(image) };
    let hashed = image.clone();
    let digest = tokio::task::spawn_blocking(move || Digest::of(&hashed)).await;
    let digest = digest.map_err(|_| StoreError::Closed)?;
    if digest != expected {
        forget(app, actor, id).await?;
        let (found, expected) = (digest.to_string(), expected.to_string());
        return Err(Refusal::UploadCorrupt { found, expected }.into());
    }
    Ok(image)
}

/// Removes an upload: first its name, so that nobody goes on with it, then its bytes.
pub(crate) async fn forget(app: &App, actor: &Actor, id: &str) -> Result<(), OperationError> {
    let (scope, name) = (actor.scope.clone(), id.to_owned());
    app.inner.store.write(move |tx| otaru_store::delete_upload(tx, &scope, &name)).await?;
    Ok(app.inner.blobs.discard(id).await?)
}

/// Forgets uploads that have not grown for a day. Returns how many.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub(crate) async fn forget_idle(app: &App) -> Result<u64, OperationError> {
    let before = app.now_ms() - UPLOAD_IDLE_MS;
    let idle = move |tx: &mut Tx<'_>| {
        otaru_store::idle_uploads(tx, &SystemScope::for_background(), before, 100)
    };
    let idle = app.inner.store.read(idle).await?;
    let count = idle.len() as u64;
    for upload in idle {
        // Bytes before their name: what is left half done is found again.
        app.inner.blobs.discard(&upload.id).await?;
        let work = move |tx: &mut Tx<'_>| {
            otaru_store::delete_upload(tx, &Scope::of(upload.organisation), &upload.id)
        };
        app.inner.store.write(work).await?;
    }
    Ok(count)
}

async fn found(app: &App, actor: &Actor, id: &str) -> Result<UploadRow, OperationError> {
    may_publish(actor)?;
    let (scope, id) = (actor.scope.clone(), id.to_owned());
    app.inner.store.read(move |tx| known(tx, &scope, &id)).await
}

fn known(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<UploadRow, OperationError> {
    let upload = otaru_store::upload(tx, scope, id)?;
    Ok(upload.ok_or_else(|| Refusal::UploadUnknown(id.to_owned()))?)
}
