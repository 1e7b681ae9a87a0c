//! Which patches are wanted.

use otaru_store::{DeviceRow, PatchKey, ReleaseRow, Scope, StoreError, SystemScope, Tx};
use otaru_wire::{Digest, ProductName, ReleaseVersion, payload::FirmwareState};

use super::{revival, show_change};
use crate::{App, OperationError};

/// Wants the patches to the newest release of each channel, from what devices run now, and those
/// that were skipped under other settings.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn plan_patches(app: &App) -> Result<(), OperationError> {
    if !app.inner.patches.enabled {
        return Ok(());
    }
    revival::revive_patches(app).await?;
    let newest = |tx: &mut Tx<'_>| otaru_store::newest_releases(tx, &SystemScope::for_background());
    for (organisation, product, version) in app.inner.store.read(newest).await? {
        plan_release(app, &Scope::of(organisation), &product, &version).await?;
    }
    Ok(())
}

/// Wants the patches to a release: the packed image, and those from the images that its fleet runs,
/// most used first.
pub(crate) async fn plan_release(
    app: &App,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<(), OperationError> {
    if !app.inner.patches.enabled {
        return Ok(());
    }
    let (scope, product, version) = (scope.clone(), product.clone(), version.clone());
    let most = app.inner.patches.max_bases;
    // Counting a large fleet takes a while: not on the writer.
    let found = move |tx: &mut Tx<'_>| {
        let release = otaru_store::release(tx, &scope, &product, &version)?;
        let Some(release) = release.filter(is_offered) else { return Ok(None) };
        let bases = otaru_store::images_to_patch(tx, &scope, &release, most)?;
        Ok::<_, StoreError>(Some((release, bases)))
    };
    let Some((release, bases)) = app.inner.store.read(found).await? else { return Ok(()) };
    let (app_, now) = (app.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let mut is_new = false;
        for codec in &app_.inner.patches.codecs {
            let codec = *codec as u8;
            let packed = PatchKey { base: None, target: release.sha256, codec };
            is_new |=
                otaru_store::insert_patch(tx, &SystemScope::for_background(), &packed, 0, now)?;
            for base in &bases {
                is_new |= want(&app_, tx, *base, release.sha256, codec, now)?;
            }
        }
        if is_new { show_change(tx, &release.sha256) } else { Ok(()) }
    };
    app.inner.store.unaudited("patches are made, or not, as it pays", work).await?;
    app.inner.patch_work.notify_waiters();
    Ok(())
}

/// A device runs something else, or follows another channel: wants the patch from that to the
/// newest release of its channel, unless there are as many as may be.
pub(crate) fn want_for_device(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    now: i64,
) -> Result<(), StoreError> {
    let settings = &app.inner.patches;
    let Some(base) = device.running_sha256.filter(|_| settings.enabled) else { return Ok(()) };
    if device.running_state == Some(FirmwareState::Trial) || device.decommissioned_at.is_some() {
        return Ok(());
    }
    let newest = otaru_store::newest_release(tx, scope, &device.product, &device.channel)?;
    // Mostly it is what it runs.
    let Some(newest) = newest.filter(|newest| newest.sha256 != base) else { return Ok(()) };
    let running = otaru_store::release_by_image(tx, scope, &device.product, &base)?;
    let is_older = |running: &ReleaseRow| {
        running.image_deleted_at.is_none() && running.sequence < newest.sequence
    };
    if !running.is_some_and(|running| is_older(&running)) {
        return Ok(());
    }
    let mut is_new = false;
    for codec in &settings.codecs {
        // The packed image first, which the patch is held against.
        let packed = PatchKey { base: None, target: newest.sha256, codec: *codec as u8 };
        is_new |= otaru_store::insert_patch(tx, &SystemScope::for_background(), &packed, 0, now)?;
        is_new |= want(app, tx, base, newest.sha256, packed.codec, now)?;
    }
    if is_new { show_change(tx, &newest.sha256) } else { Ok(()) }
}

/// Wants a patch behind those that are wanted already; false when it is one of them, or one too many.
fn want(
    app: &App,
    tx: &mut Tx<'_>,
    base: Digest,
    target: Digest,
    codec: u8,
    now: i64,
) -> Result<bool, StoreError> {
    let system = SystemScope::for_background();
    let key = PatchKey { base: Some(base), target, codec };
    let wanted = otaru_store::count_patch_bases(tx, &system, &target, codec)?;
    match wanted < app.inner.patches.max_bases {
        true => otaru_store::insert_patch(tx, &system, &key, wanted + 1, now),
        false => Ok(false),
    }
}

/// Whether a release with this image can be installed, whoever published it.
pub(super) fn is_image_offered(tx: &mut Tx<'_>, sha256: &Digest) -> Result<bool, StoreError> {
    let offers = otaru_store::offers_of_image(tx, &SystemScope::for_background(), sha256)?;
    for (organisation, product, version) in offers {
        let release = otaru_store::release(tx, &Scope::of(organisation), &product, &version)?;
        if release.is_some_and(|release| is_offered(&release)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether devices can install it.
fn is_offered(release: &ReleaseRow) -> bool {
    release.yanked_at.is_none() && release.image_deleted_at.is_none() && release.is_trusted()
}
