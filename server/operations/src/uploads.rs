//! Images on their way: bit by bit, over cut connections and restarts of the server.

use bytes::Bytes;
use otaru_blobs::{BlobError, Piece};
use otaru_store::{Scope, StoreError, Tx, UploadRow};
use otaru_wire::Digest;

use crate::{
    Actor, App, OperationError, Refusal, UploadObject, attempts::whole_seconds,
    releases::may_publish, server_keys,
};

mod forgetting;

pub(crate) use forgetting::{UPLOAD_IDLE_MS, forget, forget_idle, forget_used, sweep};

/// The longest image: the largest flash an ESP32 can address is 32 MiB, and gateways with
/// more should not need a different server.
pub const MAX_IMAGE_BYTES: u64 = 64 * 1024 * 1024;

/// Uploads an organisation may have begun: what they cost in storage is bounded.
const MOST_UPLOADS: u64 = 32;

/// A piece of fewer bytes is a short one, unless it ends its upload.
const SHORT_PIECE_BYTES: u64 = 64 * 1024;

/// Short pieces an upload may come in: more than the worst of connections leaves, and few enough
/// for a folder.
const MOST_SHORT_PIECES: usize = 1_000;

/// How far into an upload a private key is looked for, which is as far as that goes.
const HEAD_BYTES: u64 = 16 * 1024;

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
    if let Some(sha256) = &sha256 {
        forget_emptied(app, actor, size_bytes, *sha256).await?;
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
            // The next one is forgotten when it has not grown for so long.
            let oldest = otaru_store::upload_touched_at(tx, &scope)?.unwrap_or(now);
            let come_again_s = whole_seconds(oldest + UPLOAD_IDLE_MS - now);
            return Err(Refusal::TooManyUploads { come_again_s }.into());
        }
        otaru_store::insert_upload(tx, &scope, &id, size_bytes, sha256.as_ref(), now)?;
        known(tx, &scope, &id)
    };
    let why = "bytes on their way are nothing yet";
    Ok(app.inner.store.unaudited(why, work).await?.into())
}

/// Forgets the upload of an image whose bytes are gone: it was being forgotten when the server
/// ended.
async fn forget_emptied(
    app: &App,
    actor: &Actor,
    size_bytes: u64,
    sha256: Digest,
) -> Result<(), OperationError> {
    let scope = actor.scope.clone();
    let find = move |tx: &mut Tx<'_>| otaru_store::upload_of_image(tx, &scope, &sha256, size_bytes);
    let Some(upload) = app.inner.store.read(find).await? else { return Ok(()) };
    match app.inner.blobs.received(&upload.id).await? < upload.received_bytes {
        true => forget(app, actor, &upload.id).await,
        false => Ok(()),
    }
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
/// What looks like a private key is not stored, and its upload is forgotten.
///
/// # Errors
/// [`Refusal::UploadOffset`] when the upload is elsewhere, [`Refusal::UploadUnknown`],
/// [`Refusal::UploadPieceShort`], [`Refusal::PrivateKey`], [`Refusal::StorageFull`],
/// [`Refusal::Forbidden`].
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
    let piece = match bytes.is_empty() {
        true => None,
        false => {
            refuse_key(app, actor, id, from, &bytes).await?;
            refuse_short(app, &upload, from, to).await?;
            Some(app.inner.blobs.put_piece(id, from, bytes).await?)
        }
    };
    let (scope, id, now) = (actor.scope.clone(), id.to_owned(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let has_grown = otaru_store::grow_upload(tx, &scope, &id, from, to, now)?;
        let upload = known(tx, &scope, &id)?;
        match has_grown {
            true => Ok::<_, OperationError>(upload),
            false => Err(elsewhere(upload.received_bytes).into()),
        }
    };
    let grown = app.inner.store.unaudited("bytes on their way are nothing yet", work).await;
    if let (Err(OperationError::Refused(_)), Some(piece)) = (&grown, &piece) {
        take_back(app, piece).await;
    }
    Ok(grown?.into())
}

/// Refuses the beginning of what looks like a private key, and keeps nothing of it. What comes
/// in pieces is looked at together.
async fn refuse_key(
    app: &App,
    actor: &Actor,
    id: &str,
    from: u64,
    bytes: &Bytes,
) -> Result<(), OperationError> {
    if from >= HEAD_BYTES {
        return Ok(());
    }
    let head = match from {
        0 => bytes.clone(),
        _ => match app.inner.blobs.collect(id, from).await {
            Ok(before) => [&before[..], &bytes[..]].concat().into(),
            // Somebody else emptied the store, which is said when the image is asked for.
            Err(BlobError::Incomplete { .. }) => bytes.clone(),
            Err(error) => return Err(error.into()),
        },
    };
    let Err(refusal) = server_keys::refuse_key_as_image(&head) else { return Ok(()) };
    forget(app, actor, id).await?;
    Err(refusal.into())
}

/// Refuses one short piece more than there may be: each takes a file and a row's write.
async fn refuse_short(
    app: &App,
    upload: &UploadRow,
    from: u64,
    to: u64,
) -> Result<(), OperationError> {
    let is_short = |len_bytes: u64| len_bytes < SHORT_PIECE_BYTES;
    if !is_short(to - from) || to == upload.size_bytes {
        return Ok(());
    }
    let pieces = app.inner.blobs.pieces(&upload.id).await?;
    match pieces.iter().filter(|piece| is_short(piece.len_bytes())).count() < MOST_SHORT_PIECES {
        true => Ok(()),
        false => {
            let (found, expected) = (to - from, SHORT_PIECE_BYTES);
            Err(Refusal::UploadPieceShort { found, expected }.into())
        }
    }
}

/// Removes a piece that the upload did not take: somebody was faster, or it was forgotten.
async fn take_back(app: &App, piece: &Piece) {
    if let Err(error) = app.inner.blobs.remove_piece(piece).await {
        // It goes with its upload, or is swept.
        tracing::warn!(error = &error as &dyn std::error::Error, "A piece was not taken back");
    }
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

async fn found(app: &App, actor: &Actor, id: &str) -> Result<UploadRow, OperationError> {
    may_publish(actor)?;
    let (scope, id) = (actor.scope.clone(), id.to_owned());
    app.inner.store.read(move |tx| known(tx, &scope, &id)).await
}

fn known(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<UploadRow, OperationError> {
    let upload = otaru_store::upload(tx, scope, id)?;
    Ok(upload.ok_or_else(|| Refusal::UploadUnknown(id.to_owned()))?)
}
