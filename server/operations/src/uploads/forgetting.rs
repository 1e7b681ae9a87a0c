//! The end of uploads: used, given up, or never finished.

use otaru_store::{Scope, SystemScope, Tx};

use crate::{Actor, App, OperationError};

/// How long an upload that does not grow is kept.
pub(crate) const UPLOAD_IDLE_MS: i64 = 24 * 60 * 60 * 1_000;

/// Removes an upload: first its bytes, then their name, by which they are found again if this
/// breaks off in between.
pub(crate) async fn forget(app: &App, actor: &Actor, id: &str) -> Result<(), OperationError> {
    remove(app, actor.scope.clone(), id.to_owned()).await
}

/// Forgets an upload that has become a release. The release is there whatever becomes of this.
pub(crate) async fn forget_used(app: &App, actor: &Actor, id: &str) {
    if let Err(error) = forget(app, actor, id).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "A used upload was not forgotten; it is kept for a day"
        );
    }
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
        remove(app, Scope::of(upload.organisation), upload.id).await?;
    }
    Ok(count)
}

/// Removes pieces whose upload nobody knows: one that arrived while it was forgotten. An upload
/// is known before its first piece is stored. Returns of how many uploads.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub(crate) async fn sweep(app: &App) -> Result<u64, OperationError> {
    let mut swept = 0;
    for id in app.inner.blobs.uploads().await? {
        let name = id.clone();
        let is_known = move |tx: &mut Tx<'_>| {
            otaru_store::is_upload_known(tx, &SystemScope::for_background(), &name)
        };
        if !app.inner.store.read(is_known).await? {
            app.inner.blobs.discard(&id).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

async fn remove(app: &App, scope: Scope, id: String) -> Result<(), OperationError> {
    app.inner.blobs.discard(&id).await?;
    let work = move |tx: &mut Tx<'_>| otaru_store::delete_upload(tx, &scope, &id);
    app.inner.store.unaudited("bytes on their way are nothing yet", work).await?;
    Ok(())
}
