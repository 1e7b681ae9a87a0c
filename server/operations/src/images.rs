//! Deleting images, and what no release has.

use std::time::{Duration, UNIX_EPOCH};

use otaru_store::{ReleaseRow, Scope, SystemScope, Tx};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::{Actor, App, OperationError, Refusal, releases};

/// Devices named in a refusal.
const NAMED: u32 = 5;

/// An image that no release has is left alone for this long: its upload may still be under way.
const ORPHAN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes a draft; or the image of a withdrawn release that no device runs or is on its way
/// to, and no other release has. What was published stays known: its version, its sequence
/// number and what was read from it.
///
/// # Errors
/// [`Refusal::ImageInUse`], [`Refusal::ReleaseUnknown`], [`Refusal::Forbidden`].
pub async fn delete_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<(), OperationError> {
    releases::may_publish(actor)?;
    // Nobody publishes the same bytes in between.
    let _alone = app.inner.images.write().await;
    let (scope, now) = (actor.scope.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let release = releases::known(tx, &scope, &product, &version)?;
        delete(tx, &scope, &release, now)
    };
    if let Some(unused) = app.inner.store.write(work).await? {
        app.inner.blobs.delete(&unused).await?;
    }
    Ok(())
}

/// The image that nothing names any more, if that is so.
fn delete(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    now: i64,
) -> Result<Option<Digest>, OperationError> {
    let is_shared = otaru_store::is_image_of_another(tx, &SystemScope::for_background(), release)?;
    if release.is_draft {
        otaru_store::delete_draft(tx, scope, &release.product, &release.version)?;
        return Ok((!is_shared).then_some(release.sha256));
    }
    let in_use = |why: String| Refusal::ImageInUse { version: release.version.to_string(), why };
    if release.yanked_at.is_none() {
        return Err(in_use("it is published; withdraw it first".to_owned()).into());
    }
    let things = otaru_store::things_with_image(tx, scope, release, NAMED)?;
    if !things.is_empty() {
        let more = if things.len() == NAMED as usize { " and others" } else { "" };
        return Err(in_use(format!("{}{more} run it or are about to", things.join(", "))).into());
    }
    if is_shared {
        return Err(in_use("another release has the same image".to_owned()).into());
    }
    otaru_store::set_image_deleted(tx, scope, release, now)?;
    Ok(Some(release.sha256))
}

/// Removes images that no release has, as a server leaves them that ends between storing an
/// image and publishing it. Returns how many.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub async fn remove_orphans(app: &App) -> Result<u64, OperationError> {
    let now = UNIX_EPOCH + Duration::from_millis(app.now_ms().unsigned_abs());
    let old = app.inner.blobs.stored_before(now - ORPHAN_AGE).await?;
    let mut removed = 0;
    for digest in old {
        let _alone = app.inner.images.write().await;
        let is_named = move |tx: &mut Tx<'_>| {
            otaru_store::is_image_known(tx, &SystemScope::for_background(), &digest)
        };
        if !app.inner.store.read(is_named).await? {
            app.inner.blobs.delete(&digest).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
