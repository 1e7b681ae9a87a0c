//! Images that are dropped into a bucket: each becomes an image that waits for its signature.
//!
//! They are looked at as uploads are, without a manifest, which the server cannot make: whoever
//! has the release key fetches the image, signs, and publishes. What was found is kept in
//! `bucket_objects`, so that each object is taken, or refused and told of, once.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use otaru_blobs::{BlobError, Bucket, BucketObject};
use otaru_fleet::Permission;
use otaru_store::{BucketObjectRow, ProductRow, Scope, StoreError, SystemScope, Tx};
use otaru_wire::{Digest, OrganisationId, ProductName, ReleaseVersion};
use serde_json::json;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, BucketImageObject, MAX_IMAGE_BYTES, OperationError, Page, PageRequest, Refusal,
    events::{People, tick_after_commit},
    images, intake, releases,
};

/// Where images are dropped: `firmware/<product>/<version>.bin`.
const FOLDER: &str = "firmware";

/// A bucket with more objects below the folder is not looked at: it is for something else.
const MOST_OBJECTS: usize = 10_000;

/// How long a look may take: one that hangs must not end the watch.
const LOOK_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Between two looks, whoever asks for more: a list costs money, and anybody who may publish can ask.
const LEAST_BETWEEN: Duration = Duration::from_secs(5);

/// The bucket to be watched.
pub struct BucketWatch {
    /// What images are dropped into.
    pub bucket: Bucket,
    /// How often it is looked at.
    pub interval: Duration,
}

/// The watch of this server.
pub(crate) struct Watch {
    watched: Option<BucketWatch>,
    look_now: Notify,
}

impl Watch {
    pub(crate) fn of(watched: Option<BucketWatch>) -> Watch {
        Watch { watched, look_now: Notify::new() }
    }
}

/// Looks at the bucket again and again, until it is dropped. Ends never, watched or not.
pub async fn watch_bucket(app: App) {
    let watch = &app.inner.bucket_watch;
    let Some(BucketWatch { interval, .. }) = &watch.watched else {
        return std::future::pending().await;
    };
    loop {
        match tokio::time::timeout(LOOK_LIMIT, look_at_bucket(&app)).await {
            Ok(Ok(_)) => {}
            Ok(Err(cause)) => {
                let cause = &cause as &dyn std::error::Error;
                error!(error = cause, "The watched bucket could not be looked at");
            }
            Err(_) => warn!("A look at the watched bucket took too long"),
        }
        until_next_look(&watch.look_now, *interval).await;
    }
}

/// Waits until it is time to look again, or somebody asks. Whoever asks too soon is remembered.
async fn until_next_look(look_now: &Notify, interval: Duration) {
    let least = LEAST_BETWEEN.min(interval);
    tokio::time::sleep(least).await;
    let _ = tokio::time::timeout(interval - least, look_now.notified()).await;
}

/// Looks at the bucket once; returns how many objects were new.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub async fn look_at_bucket(app: &App) -> Result<u64, OperationError> {
    let Some(BucketWatch { bucket, .. }) = &app.inner.bucket_watch.watched else { return Ok(0) };
    let listed = bucket.list(FOLDER, MOST_OBJECTS + 1).await?;
    if listed.len() > MOST_OBJECTS {
        warn!(most = MOST_OBJECTS, "The watched bucket holds more objects than are looked at");
        return Ok(0);
    }
    let known =
        |tx: &mut Tx<'_>| otaru_store::all_bucket_objects(tx, &SystemScope::for_background());
    let known: Vec<BucketObjectRow> = app.inner.store.read(known).await?;
    let mut known: HashMap<String, BucketObjectRow> =
        known.into_iter().map(|row| (row.path.clone(), row)).collect();
    let mut new = 0;
    for object in listed.into_iter().filter(|object| object.path.ends_with(".bin")) {
        let before = known.remove(&object.path);
        if before.is_some_and(|row| is_same(&row, &object)) {
            continue;
        }
        let path = object.path.clone();
        match take_in(app, bucket, object).await {
            Ok(()) => new += 1,
            Err(cause @ OperationError::Store(_)) => return Err(cause),
            // Others behind it must not wait for one that cannot be read.
            Err(cause) => {
                let cause = &cause as &dyn std::error::Error;
                warn!(
                    path,
                    error = cause,
                    "An object of the bucket is tried again at the next look"
                );
            }
        }
    }
    let gone: Vec<BucketObjectRow> = known.into_values().collect();
    if !gone.is_empty() {
        let forget = move |tx: &mut Tx<'_>| {
            gone.iter().for_each(|row| show_change(tx, &row.organisation, &row.path));
            let paths: Vec<String> = gone.into_iter().map(|row| row.path).collect();
            otaru_store::forget_bucket_objects(tx, &SystemScope::for_background(), &paths)
        };
        let why = "an object that was told of is not in the bucket any more";
        app.inner.store.unaudited(why, forget).await?;
    }
    Ok(new)
}

fn is_same(row: &BucketObjectRow, object: &BucketObject) -> bool {
    row.tag == object.tag
        && row.size_bytes == object.size_bytes
        && row.modified_at == object.modified_at
}

/// Stores the image, or the refusal, with what was found.
async fn take_in(app: &App, bucket: &Bucket, object: BucketObject) -> Result<(), OperationError> {
    let mut row = BucketObjectRow {
        path: object.path.clone(),
        organisation: app.default_organisation().clone(),
        tag: object.tag.clone(),
        size_bytes: object.size_bytes,
        modified_at: object.modified_at,
        found_at: app.now_ms(),
        product: None,
        version: None,
        sha256: None,
        code: None,
        detail: None,
        is_signed: false,
    };
    match checked(app, bucket, &object, &mut row).await {
        Ok((image, digest)) => {
            row.sha256 = Some(digest);
            let put = row.clone();
            images::put_and(app, image, &digest, move |tx| Ok(((), keep(tx, &put)?))).await?;
            info!(path = row.path, "An image in the bucket waits for its signature");
            Ok(())
        }
        Err(OperationError::Refused(refusal)) => {
            warn!(
                path = row.path,
                code = refusal.code(),
                "An image in the bucket is refused: {refusal}"
            );
            row.code = Some(refusal.code().to_owned());
            row.detail = Some(refusal.to_string());
            let work = move |tx: &mut Tx<'_>| Ok::<_, StoreError>(((), keep(tx, &row)?));
            Ok(app.inner.store.audited(work).await?)
        }
        Err(error) => Err(error),
    }
}

fn keep(tx: &mut Tx<'_>, row: &BucketObjectRow) -> Result<Entry, StoreError> {
    show_change(tx, &row.organisation, &row.path);
    otaru_store::put_bucket_object(tx, &SystemScope::for_background(), row)?;
    let who = Who::server(&Scope::of(row.organisation.clone()));
    let action = if row.code.is_some() { "bucket_image.refuse" } else { "bucket_image.take" };
    let found = json!({ "sha256": row.sha256, "size": row.size_bytes, "code": row.code });
    Ok(who.did(action, Object::new("bucket_image", &row.path)).made(&found))
}

/// Screens that show what is in the bucket look again.
fn show_change(tx: &mut Tx<'_>, organisation: &OrganisationId, path: &str) {
    let (scope, body) = (Scope::of(organisation.clone()), json!({ "path": path }));
    tick_after_commit(tx, &scope, People::default(), "bucket_changed", &body);
}

/// The image and its digest, if all but the manifest is right.
async fn checked(
    app: &App,
    bucket: &Bucket,
    object: &BucketObject,
    row: &mut BucketObjectRow,
) -> Result<(Bytes, Digest), OperationError> {
    let (name, version) = names(&object.path)?;
    row.product = Some(name.to_string());
    row.version = Some(version.to_string());
    let find = name.clone();
    let find = move |tx: &mut Tx<'_>| {
        otaru_store::product_anywhere(tx, &SystemScope::for_background(), &find)
    };
    let product: Option<ProductRow> = app.inner.store.read(find).await?;
    let product = product.ok_or_else(|| Refusal::ProductUnknown(name.to_string()))?;
    row.organisation = product.organisation.clone();
    if object.size_bytes > MAX_IMAGE_BYTES {
        let detail = format!("{} is not 1 to {MAX_IMAGE_BYTES}", object.size_bytes);
        return Err(Refusal::invalid("size", detail).into());
    }
    let image = bucket.get(object).await?;
    let scope = Scope::of(product.organisation.clone());
    let looked_at = image.clone();
    // Hashing megabytes must not hold up the tasks of this thread.
    let looked = tokio::task::spawn_blocking(move || {
        match intake::check_image(&product, &looked_at, None) {
            // Who signs it says of which project it is, where it does not.
            Ok(_) | Err(Refusal::ProjectMissing { .. }) => Ok(Digest::of(&looked_at)),
            Err(refusal) => Err(refusal),
        }
    });
    let digest = looked.await.map_err(|_| StoreError::Closed)??;
    let (product, wanted) = (name, version);
    let taken = move |tx: &mut Tx<'_>| releases::either(tx, &scope, &product, &wanted);
    match app.inner.store.read(taken).await? {
        Some(known) if known.sha256 != digest => Err(Refusal::VersionTaken {
            version: known.version.to_string(),
            found: digest.to_string(),
            expected: known.sha256.to_string(),
        }
        .into()),
        _ => Ok((image, digest)),
    }
}

/// Product and version of `firmware/<product>/<version>.bin`.
fn names(path: &str) -> Result<(ProductName, ReleaseVersion), Refusal> {
    let invalid =
        || Refusal::invalid("path", format!("`{path}` is not `{FOLDER}/<product>/<version>.bin`"));
    let below = path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
    let (product, file) = below.and_then(|rest| rest.split_once('/')).ok_or_else(invalid)?;
    let version = file.strip_suffix(".bin").ok_or_else(invalid)?;
    let product = ProductName::new(product).map_err(|_| invalid())?;
    let version = ReleaseVersion::new(version).map_err(|_| invalid())?;
    Ok((product, version))
}

/// Has the bucket looked at now, if one is watched: somebody says that there is something new.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub fn nudge_bucket_watch(app: &App, actor: &Actor) -> Result<(), Refusal> {
    releases::may_publish(actor)?;
    app.inner.bucket_watch.look_now.notify_one();
    Ok(())
}

/// What was found in the bucket, and what became of it, by path.
///
/// # Errors
/// [`Refusal::InvalidCursor`], [`Refusal::Forbidden`].
pub async fn list_bucket_images(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<BucketImageObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let work = move |tx: &mut Tx<'_>| otaru_store::bucket_objects(tx, &scope, &after, limit);
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.path.clone(), BucketImageObject::from))
}

/// An image that was found in the bucket, to be signed.
///
/// # Errors
/// [`Refusal::ReleaseUnknown`] when none was taken for this release, [`Refusal::Forbidden`].
pub async fn fetch_bucket_image(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<Bytes, OperationError> {
    releases::may_publish(actor)?;
    let unknown =
        Refusal::ReleaseUnknown { product: product.to_string(), version: version.to_string() };
    let (scope, name, label) = (actor.scope.clone(), product.clone(), version.clone());
    let work = move |tx: &mut Tx<'_>| otaru_store::bucket_image(tx, &scope, &name, &label);
    let digest = app.inner.store.read(work).await?.ok_or_else(|| unknown.clone())?;
    match app.inner.blobs.get(&digest).await {
        Ok(image) => Ok(image),
        // As after an older copy of the images was put back: it is taken from the bucket anew.
        Err(BlobError::NotFound(_)) => {
            let scope = actor.scope.clone();
            let forget = move |tx: &mut Tx<'_>| {
                otaru_store::forget_bucket_image(tx, &scope, &product, &version)
            };
            let why = "an image whose bytes are gone is taken from the bucket anew";
            app.inner.store.unaudited(why, forget).await?;
            app.inner.bucket_watch.look_now.notify_one();
            Err(unknown.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until the next look after the last one, if somebody asks so many times before it
    /// and again so many seconds later.
    async fn next_look_s(asked: u32, later_s: Option<u64>) -> u64 {
        let look_now = Notify::new();
        (0..asked).for_each(|_| look_now.notify_one());
        let began = tokio::time::Instant::now();
        let asking = async {
            if let Some(later_s) = later_s {
                tokio::time::sleep(Duration::from_secs(later_s)).await;
                look_now.notify_one();
            }
            std::future::pending().await
        };
        tokio::select! {
            () = until_next_look(&look_now, Duration::from_secs(60)) => {}
            () = asking => {}
        }
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_looked_at_when_somebody_asks_but_not_more_often_than_every_five_seconds() {
        assert_eq!(next_look_s(0, None).await, 60);
        assert_eq!(next_look_s(1, None).await, 5);
        assert_eq!(next_look_s(1_000, Some(1)).await, 5);
        assert_eq!(next_look_s(0, Some(2)).await, 5);
        assert_eq!(next_look_s(0, Some(20)).await, 20);
    }

    #[test]
    fn a_path_names_product_and_version() {
        let read = |path| names(path).map(|(product, version)| format!("{product} {version}")).ok();
        assert_eq!(read("firmware/clock/1.0.5.bin").as_deref(), Some("clock 1.0.5"));
        for path in [
            "firmware/clock.bin",
            "firmware/clock/.bin",
            "firmware/clock/1.0.5.elf",
            "firmware/clock/beta/1.0.5.bin",
            "firmware/Clock of mine/1.0.5.bin",
            "firmwares/clock/1.0.5.bin",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }
}
