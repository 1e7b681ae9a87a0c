//! Storing images and deleting them, so that a release never names bytes that are gone.
//!
//! Bytes and rows are in different places, and a server may lose its database to another in
//! between. What is durable says who is where:
//!
//! - Deleting: one transaction makes sure that no release has the image and notes the *deletion*
//!   (`image_deletions`), with a number that rises with each of the same image, unless one is
//!   under way. Then the bytes go, within [`DELETED_WITHIN`]. Then the deletion is noted as ended.
//! - Storing: look at the image's newest deletion; while it is under way, refuse. Then store the
//!   bytes. Then one transaction writes the row, if the newest deletion is still that one; else
//!   the bytes may be gone, and all of it is done again.
//!
//! So a deletion that is noted before the row is seen by who writes the row, and one after it
//! sees the row. A server that ends in between leaves a deletion under way: after
//! [`UNFINISHED_AFTER`], when no request of it can linger any more, whoever has the database then
//! does it again.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use otaru_store::{ReleaseRow, Scope, SystemScope, Tx};
use otaru_wire::{Digest, ProductName, ReleaseVersion};
use tokio::time::timeout;

use crate::audit::{Entries, Object, Who};
use crate::{
    Actor, App, OperationError, Refusal, ReleaseObject, approvals, forget_patches, releases,
};

/// Devices named in a refusal.
const NAMED: u32 = 5;

/// An image that no release has is left alone for this long: its upload may still be under way.
const ORPHAN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long deleting the bytes of an image may take; it is given up then, and done again later.
const DELETED_WITHIN: Duration = Duration::from_secs(60);

/// How old a deletion is when whoever began it has certainly given up: ten times what it may take.
const UNFINISHED_AFTER: Duration = Duration::from_secs(600);

/// How often storing an image begins anew, when it is deleted at the same time again and again.
const TRIES: u32 = 5;

/// Deletes a draft; or the image of a withdrawn release that no device runs or is on its way
/// to, and no other release has. What was published stays known: its version, its sequence
/// number and what was read from it.
///
/// # Errors
/// [`Refusal::ImageInUse`], [`Refusal::ReleaseRejected`], [`Refusal::ReleaseUnknown`],
/// [`Refusal::Forbidden`].
pub async fn delete_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<(), OperationError> {
    releases::may_publish(actor)?;
    let (scope, now, who) = (actor.scope.clone(), app.now_ms(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let release = releases::known(tx, &scope, &product, &version)?;
        let deletion = match delete(tx, &scope, &release, now)? {
            Some(unused) => Deletion::begin(tx, unused, now)?,
            None => None,
        };
        let did = who.did("release.delete", Object::release(&product, &version));
        Ok::<_, OperationError>((deletion, did.ended(&ReleaseObject::from(release))))
    };
    if let Some(deletion) = app.inner.store.audited(work).await? {
        deletion.carry_out(app).await?;
    }
    // Those to and from it.
    forget_patches(app).await.map(drop)
}

/// A deletion that is noted.
struct Deletion {
    digest: Digest,
    number: i64,
    begun_at: i64,
}

impl Deletion {
    /// Notes it; `None` while another is under way: a late end of that one would be taken for
    /// this one's.
    fn begin(
        tx: &mut Tx<'_>,
        digest: Digest,
        now: i64,
    ) -> Result<Option<Deletion>, OperationError> {
        let system = SystemScope::for_background();
        let newest = otaru_store::image_deletion(tx, &system, &digest)?;
        let is_under_way = newest.is_some_and(|deletion| {
            deletion.ended_at.is_none() && deletion.begun_at >= given_up_before(now)
        });
        if is_under_way {
            return Ok(None);
        }
        let number = otaru_store::begin_image_deletion(tx, &system, &digest, now)?;
        Ok(Some(Deletion { digest, number, begun_at: now }))
    }

    async fn carry_out(self, app: &App) -> Result<(), OperationError> {
        let Deletion { digest, number, begun_at } = self;
        // This machine may have stood still since.
        if app.now_ms() - begun_at > DELETED_WITHIN.as_secs() as i64 * 1_000 {
            return Ok(());
        }
        match timeout(DELETED_WITHIN, app.inner.blobs.delete(&digest)).await {
            Ok(deleted) => deleted?,
            Err(_) => {
                tracing::warn!(image = %digest, "An image is slow to go; it is deleted later");
                return Ok(());
            }
        }
        let now = app.now_ms();
        let end = move |tx: &mut Tx<'_>| {
            let system = SystemScope::for_background();
            otaru_store::end_image_deletion(tx, &system, &digest, number, now)
        };
        Ok(app.inner.store.unaudited("the bytes of an image are gone", end).await?)
    }
}

/// Deletions that were begun before this and have not ended were given up.
fn given_up_before(now: i64) -> i64 {
    now - i64::try_from(UNFINISHED_AFTER.as_millis()).unwrap_or(i64::MAX)
}

/// Stores an image, and then, in one transaction, what names it.
///
/// # Errors
/// [`Refusal::ImageBeingDeleted`]; what `name` refuses, with no trace of it but the bytes.
pub(crate) async fn put_and<T: Send + 'static, A: Into<Entries>>(
    app: &App,
    image: Bytes,
    digest: &Digest,
    name: impl Fn(&mut Tx<'_>) -> Result<(T, A), OperationError> + Clone + Send + 'static,
) -> Result<T, OperationError> {
    let digest = *digest;
    let newest = move |tx: &mut Tx<'_>| {
        otaru_store::image_deletion(tx, &SystemScope::for_background(), &digest)
    };
    for _ in 0..TRIES {
        let before = app.inner.store.read(newest).await?;
        if before.is_some_and(|deletion| deletion.ended_at.is_none()) {
            break;
        }
        app.inner.blobs.put(image.clone()).await?;
        let name = name.clone();
        let work = move |tx: &mut Tx<'_>| match newest(tx)? == before {
            true => name(tx).map(|(named, entries)| (Some(named), entries.into())),
            false => Ok((None, Entries::default())),
        };
        if let Some(named) = app.inner.store.audited(work).await? {
            return Ok(named);
        }
    }
    Err(Refusal::ImageBeingDeleted(digest.to_string()).into())
}

/// Does again what a server left that ended, or lost its database, while it deleted an image.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub async fn finish_deletions(app: &App) -> Result<(), OperationError> {
    let before = given_up_before(app.now_ms());
    let found = move |tx: &mut Tx<'_>| {
        otaru_store::unfinished_image_deletions(tx, &SystemScope::for_background(), before)
    };
    for digest in app.inner.store.read(found).await? {
        let now = app.now_ms();
        let again = move |tx: &mut Tx<'_>| {
            let system = SystemScope::for_background();
            let deletion = Deletion::begin(tx, digest, now)?;
            // A program before this one looks at no deletion before it publishes.
            match &deletion {
                Some(Deletion { number, .. })
                    if otaru_store::is_image_known(tx, &system, &digest)? =>
                {
                    otaru_store::end_image_deletion(tx, &system, &digest, *number, now)?;
                    Ok(None)
                }
                _ => Ok::<_, OperationError>(deletion),
            }
        };
        let why = "a deletion that somebody asked for is done again";
        if let Some(deletion) = app.inner.store.unaudited(why, again).await? {
            deletion.carry_out(app).await?;
        }
    }
    Ok(())
}

/// Deletes those of the found bytes that nothing names any more. Returns how many.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub(crate) async fn delete_unnamed(
    app: &App,
    find: impl Fn(&mut Tx<'_>) -> Result<Vec<Digest>, OperationError> + Send + 'static,
) -> Result<u64, OperationError> {
    let now = app.now_ms();
    let begin = move |tx: &mut Tx<'_>| {
        let mut begun = Vec::new();
        for digest in find(tx)? {
            if !otaru_store::is_image_known(tx, &SystemScope::for_background(), &digest)? {
                begun.extend(Deletion::begin(tx, digest, now)?);
            }
        }
        Ok::<_, OperationError>(begun)
    };
    let why = "what nothing names is nobody's any more";
    let begun = app.inner.store.unaudited(why, begin).await?;
    let count = begun.len() as u64;
    for deletion in begun {
        deletion.carry_out(app).await?;
    }
    Ok(count)
}

/// The image that nothing names any more, if that is so.
fn delete(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    now: i64,
) -> Result<Option<Digest>, OperationError> {
    let is_shared = otaru_store::is_image_of_another(tx, &SystemScope::for_background(), release)?;
    releases::show_change(tx, scope, &release.product, &release.version);
    // That it was is not to be forgotten with it.
    approvals::refuse_rejected(release)?;
    if release.is_draft {
        otaru_store::delete_draft(tx, scope, &release.product, &release.version)?;
        otaru_store::forget_bucket_image(tx, scope, &release.product, &release.version)?;
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
        let is_named = move |tx: &mut Tx<'_>| {
            otaru_store::is_image_known(tx, &SystemScope::for_background(), &digest)
        };
        if app.inner.store.read(is_named).await? {
            continue;
        }
        let now = app.now_ms();
        let begin = move |tx: &mut Tx<'_>| match is_named(tx)? {
            // Somebody published it meanwhile.
            true => Ok(None),
            false => Deletion::begin(tx, digest, now),
        };
        let why = "what nothing names is nobody's any more";
        if let Some(deletion) = app.inner.store.unaudited(why, begin).await? {
            deletion.carry_out(app).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
