//! The clock of every open update: nothing is in progress for ever.

use otaru_fleet::Input;
use otaru_store::{Scope, StoreError, SystemScope, Tx};

use crate::{App, OperationError, updates};

/// Updates ended in one transaction, so that a mass failure does not hold up the writer.
const BATCH: u32 = 200;

/// Ends every update whose phase has been silent too long, and starts those put off until
/// now. Returns how many it moved.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn expire_silent_updates(app: &App) -> Result<usize, OperationError> {
    let mut moved = 0;
    loop {
        let app_ = app.clone();
        let due = app.inner.store.write(move |tx| expire_batch(&app_, tx)).await?;
        moved += due;
        if due < BATCH as usize {
            return Ok(moved);
        }
    }
}

fn expire_batch(app: &App, tx: &mut Tx<'_>) -> Result<usize, StoreError> {
    let now = app.now_ms();
    let due = otaru_store::updates_past_deadline(tx, &SystemScope::for_background(), now, BATCH)?;
    let count = due.len();
    for row in due {
        let scope = Scope::of(row.organisation.clone());
        updates::advance(app, tx, &scope, row, &Input::Expired, now)?;
    }
    Ok(count)
}

/// After a start: silence counts only while the server listened.
pub(crate) fn resume_deadlines(tx: &mut Tx<'_>, now: i64) -> Result<(), StoreError> {
    let open = otaru_store::updates_with_deadline(tx, &SystemScope::for_background())?;
    for row in open {
        let scope = Scope::of(row.organisation.clone());
        let Some(product) = otaru_store::product(tx, &scope, &row.product)? else { continue };
        let deadline_at = row.update.deadline_after_restart(&product.limits, now);
        otaru_store::put_update(tx, &scope, &row.update, deadline_at)?;
    }
    Ok(())
}
