//! Patches that were skipped and would not be now: settings change with every start.

use otaru_release::patch::Codec;
use otaru_store::{PatchReason, PatchRow, PatchState, StoreError, SystemScope, Tx};

use super::{PatchSettings, packed_image, plan, show_change, stored_bytes};
use crate::{App, OperationError};

/// Has skipped patches made after all that the settings allow by now.
///
/// # Errors
/// [`OperationError::Store`].
pub(super) async fn revive_patches(app: &App) -> Result<(), OperationError> {
    let app_ = app.clone();
    // Mostly there is none: that costs the writer nothing.
    let allowed = move |tx: &mut Tx<'_>| allowed_now(tx, &app_.inner.patches);
    if app.inner.store.read(allowed).await?.is_empty() {
        return Ok(());
    }
    let (app_, now) = (app.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_background();
        for row in allowed_now(tx, &app_.inner.patches)? {
            otaru_store::revive_patch(tx, &system, &row.key, now)?;
            show_change(tx, &row.key.target)?;
        }
        Ok::<_, StoreError>(())
    };
    app.inner.store.unaudited("patches are made, or not, as it pays", work).await?;
    app.inner.patch_work.notify_waiters();
    Ok(())
}

/// Skipped patches that would not be now, as many as each target has room for, best first.
fn allowed_now(tx: &mut Tx<'_>, settings: &PatchSettings) -> Result<Vec<PatchRow>, StoreError> {
    let system = SystemScope::for_background();
    let mut allowed: Vec<PatchRow> = Vec::new();
    for row in otaru_store::skipped_patches(tx, &system)? {
        if !is_allowed(tx, settings, &row)? {
            continue;
        }
        let (target, codec) = (row.key.target, row.key.codec);
        if row.key.base.is_some() {
            let is_beside = |other: &&PatchRow| {
                other.key.base.is_some() && (other.key.target, other.key.codec) == (target, codec)
            };
            let beside = allowed.iter().filter(is_beside).count() as u32;
            let wanted = otaru_store::count_patch_bases(tx, &system, &target, codec)?;
            if wanted + beside >= settings.max_bases {
                continue;
            }
        }
        allowed.push(row);
    }
    Ok(allowed)
}

/// Whether it would be made if it were wanted now, as far as lengths are known.
fn is_allowed(
    tx: &mut Tx<'_>,
    settings: &PatchSettings,
    row: &PatchRow,
) -> Result<bool, StoreError> {
    let is_packed_so = |codec: &Codec| *codec as u8 == row.key.codec;
    if !settings.codecs.iter().any(is_packed_so) || !plan::is_image_offered(tx, &row.key.target)? {
        return Ok(false);
    }
    let Some(longest) = longest_image(tx, row)? else { return Ok(false) };
    if longest > settings.max_image_bytes {
        return Ok(false);
    }
    match row.reason {
        Some(PatchReason::TooLarge) => is_small_enough(tx, settings, row),
        Some(PatchReason::ImageTooLarge) => Ok(true),
        _ => Ok(false),
    }
}

/// Whether a patch that was too large would be kept now. That is not known while the packed image
/// that it is held against is still to be made, or waits for the same settings.
fn is_small_enough(
    tx: &mut Tx<'_>,
    settings: &PatchSettings,
    row: &PatchRow,
) -> Result<bool, StoreError> {
    let packed = packed_image(tx, row)?;
    let is_to_come = packed.as_ref().is_some_and(|packed| {
        matches!(packed.state, PatchState::Waiting | PatchState::Running)
            || packed.reason == Some(PatchReason::ImageTooLarge)
    });
    let system = SystemScope::for_background();
    let target_bytes = otaru_store::image_bytes(tx, &system, &row.key.target)?;
    let (Some(size_bytes), Some(target_bytes)) = (row.size_bytes, target_bytes) else {
        return Ok(false);
    };
    let most_bytes = settings.most_bytes(stored_bytes(packed), target_bytes);
    Ok(!is_to_come && size_bytes <= most_bytes)
}

/// How long the longer of its images is; none when one of them is not stored.
fn longest_image(tx: &mut Tx<'_>, row: &PatchRow) -> Result<Option<u64>, StoreError> {
    let system = SystemScope::for_background();
    let target_bytes = otaru_store::image_bytes(tx, &system, &row.key.target)?;
    let base_bytes = match &row.key.base {
        Some(base) => otaru_store::image_bytes(tx, &system, base)?,
        None => Some(0),
    };
    Ok(target_bytes.zip(base_bytes).map(|(target, base)| target.max(base)))
}
