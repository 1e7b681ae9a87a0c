//! What publishing, withdrawing and other keys mean for a whole fleet: done after the commit, a batch at a
//! time, so that no other write waits behind it.
//!
//! What a server that ends leaves undone is in the database, and done by the next one.

use std::time::Duration;

use otaru_fleet::Input;
use otaru_store::{HopelessUpdate, Scope, StoreError, SystemScope, Tx};
use otaru_wire::{ProductName, ReleaseVersion};
use tracing::error;

use crate::audit::{self, Who};
use crate::{App, OperationError, devices, offers, patches, updates};

/// Devices looked at in one transaction: about 50 ms on PostgreSQL.
const BATCH: u32 = 100;

/// How long whoever caused it waits for the end: that of a small fleet comes at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Lets the work go on whether or not the caller stays; returns when it is done or takes long.
pub(crate) async fn begin(work: impl Future<Output = Result<(), OperationError>> + Send + 'static) {
    let task = tokio::spawn(async move {
        if let Err(cause) = work.await {
            error!(error = &cause as &dyn std::error::Error, "A fleet was not told to its end");
        }
    });
    let _ = tokio::time::timeout(ANSWER_WITHIN, task).await;
}

/// Finishes what publishing and withdrawing releases has left to do.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn finish_releases(app: &App) -> Result<(), OperationError> {
    cancel_hopeless(app).await?;
    let untold = |tx: &mut Tx<'_>| otaru_store::untold_releases(tx, &SystemScope::for_background());
    for release in app.inner.store.read(untold).await? {
        let scope = Scope::of(release.organisation);
        tell_owners(app, &scope, &release.product, &release.version).await?;
    }
    Ok(())
}

/// Every owner of a device that can install the release hears of it, once; where nobody is
/// asked, it begins. The patches that their devices will ask for are wanted before.
pub(crate) async fn tell_owners(
    app: &App,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<(), OperationError> {
    // Without patches devices take whole images, and in an hour it is looked once more.
    if let Err(cause) = patches::plan_release(app, scope, product, version).await {
        error!(error = &cause as &dyn std::error::Error, "Patches were not planned");
    }
    loop {
        let (app_, scope, now) = (app.clone(), scope.clone(), app.now_ms());
        let (product, version) = (product.clone(), version.clone());
        let work = move |tx: &mut Tx<'_>| tell_batch(&app_, tx, &scope, &product, &version, now);
        if !app.inner.store.unaudited("what begins by policy notes itself", work).await? {
            return Ok(());
        }
    }
}

/// Returns whether some are left. How far it got is part of the same transaction.
fn tell_batch(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
    now: i64,
) -> Result<bool, StoreError> {
    let Some(after) = otaru_store::tell_after(tx, scope, product, version)? else {
        return Ok(false);
    };
    let batch = otaru_store::devices_of_product(tx, scope, product, &after, BATCH)?;
    for device in &batch {
        let available = devices::available_release(tx, scope, device)?;
        if available.is_some_and(|available| available.version == *version) {
            offers::consider(app, tx, scope, device, now)?;
        }
    }
    let next = batch.last().filter(|_| batch.len() == BATCH as usize);
    let next = next.map(|device| device.thing.as_str());
    otaru_store::set_tell_after(tx, scope, product, version, next)?;
    Ok(next.is_some())
}

/// Cancels every update that has not restarted yet into a release which was withdrawn, or which
/// devices refuse.
pub(crate) async fn cancel_hopeless(app: &App) -> Result<(), OperationError> {
    let found = |tx: &mut Tx<'_>| otaru_store::hopeless_updates(tx, &SystemScope::for_background());
    let found = app.inner.store.read(found).await?;
    for batch in found.chunks(BATCH as usize) {
        let (app_, batch) = (app.clone(), batch.to_vec());
        let work = move |tx: &mut Tx<'_>| cancel_batch(&app_, tx, batch);
        app.inner.store.unaudited("each update that is cancelled notes itself", work).await?;
    }
    Ok(())
}

fn cancel_batch(app: &App, tx: &mut Tx<'_>, batch: Vec<HopelessUpdate>) -> Result<(), StoreError> {
    let now = app.now_ms();
    for HopelessUpdate { organisation, id, reason } in batch {
        let input = Input::CancelRequested { reason: Some(reason) };
        let scope = Scope::of(organisation);
        // It may have ended since it was found.
        let update = otaru_store::update(tx, &scope, &id)?;
        if let Some(open) = update.filter(|row| row.update.is_open()) {
            let before = open.clone();
            let row = updates::advance(app, tx, &scope, open, &input, now)?;
            if let Some(entry) = updates::cancelled(Who::server(&scope), &before, &row) {
                audit::note(tx, entry, now)?;
            }
            offers::ended(app, tx, &scope, &row, now)?;
        }
    }
    Ok(())
}
