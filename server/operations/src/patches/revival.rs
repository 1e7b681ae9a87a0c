//! Patches that were skipped and would not be now: settings change with every start.

use otaru_store::{PatchReason, PatchRow, StoreError, SystemScope, Tx};

use super::{PatchSettings, packed_bytes, show_change};
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
    app.inner.store.write(work).await?;
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

fn is_allowed(
    tx: &mut Tx<'_>,
    settings: &PatchSettings,
    row: &PatchRow,
) -> Result<bool, StoreError> {
    let system = SystemScope::for_background();
    let Some(target_bytes) = otaru_store::image_bytes(tx, &system, &row.key.target)? else {
        return Ok(false);
    };
    match row.reason {
        Some(PatchReason::TooLarge) => {
            let most_bytes = settings.most_bytes(packed_bytes(tx, row)?, target_bytes);
            Ok(row.size_bytes.is_some_and(|size_bytes| size_bytes <= most_bytes))
        }
        Some(PatchReason::ImageTooLarge) => {
            let base_bytes = match &row.key.base {
                Some(base) => otaru_store::image_bytes(tx, &system, base)?,
                None => Some(0),
            };
            let longest = base_bytes.map(|base_bytes| base_bytes.max(target_bytes));
            Ok(longest.is_some_and(|longest| longest <= settings.max_image_bytes))
        }
        _ => Ok(false),
    }
}
