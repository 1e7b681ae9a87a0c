//! The clock of every open update: nothing is in progress for ever.

use otaru_fleet::Input;
use otaru_store::{PutOff, Scope, StoreError, SystemScope, Tx};
use otaru_wire::Phase;

use crate::{App, OperationError, offers, updates};

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
        let work = move |tx: &mut Tx<'_>| expire_batch(&app_, tx);
        let due = app.inner.store.unaudited("silence ends an update: nobody did it", work).await?;
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
        // Bytes heard of since they were stored last are no silence.
        let row = app.inner.live.overlay(row);
        if updates::deadline(app, tx, &scope, &row)?.is_some_and(|deadline_at| deadline_at > now) {
            updates::save(app, tx, &scope, &row)?;
            continue;
        }
        if row.put_off == Some(PutOff::Later) && row.update.phase == Phase::Deferred {
            offers::ask_again(app, tx, &scope, row, now)?;
            continue;
        }
        let row = updates::advance(app, tx, &scope, row, &Input::Expired, now)?;
        offers::ended(app, tx, &scope, &row, now)?;
    }
    Ok(count)
}

/// After a start: silence counts only while the server listens.
pub(crate) fn resume_deadlines(app: &App, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let open = otaru_store::updates_with_deadline(tx, &SystemScope::for_background())?;
    for row in open {
        let scope = Scope::of(row.organisation.clone());
        updates::save(app, tx, &scope, &row)?;
    }
    Ok(())
}
