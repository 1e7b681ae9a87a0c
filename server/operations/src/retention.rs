//! Logs and events do not grow for ever, and what has ended is not kept.

use otaru_store::{SystemScope, Tx};

use crate::{App, OperationError, sessions, uploads};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// How long log records are kept.
const LOGS_MS: i64 = 30 * DAY_MS;

/// How long events are kept: a screen that was away longer reads the state itself anew.
const EVENTS_MS: i64 = 7 * DAY_MS;

/// How long a token is listed after its end, for who wonders why a program stopped.
const TOKENS_MS: i64 = 90 * DAY_MS;

/// Drops what is older than it is kept. Returns how many entries went.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub async fn trim(app: &App) -> Result<u64, OperationError> {
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_background();
        let logs = otaru_store::trim_logs(tx, &system, now - LOGS_MS)?;
        let events = otaru_store::trim_events(tx, &system, now - EVENTS_MS)?;
        let ended = otaru_store::trim_sessions(
            tx,
            &system,
            now - sessions::IDLE_MS,
            now - sessions::LIFETIME_MS,
        )?;
        let links = otaru_store::trim_invitations(tx, &system, now)?
            + otaru_store::trim_password_resets(tx, &system, now)?;
        let tokens = otaru_store::trim_tokens(tx, &system, now - TOKENS_MS)?;
        Ok::<_, OperationError>(logs + events + ended + links + tokens)
    };
    let dropped = app.inner.store.write(work).await?;
    Ok(dropped + uploads::forget_idle(app).await? + uploads::sweep(app).await?)
}

/// Rows of history that are dropped at once: others write in between.
const HISTORY_ROWS: u32 = 500;

/// Drops versions of shadows that are too many since fewer are kept than before the last start.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn trim_shadow_history(app: &App) -> Result<u64, OperationError> {
    let kept = app.inner.shadow_history;
    let mut dropped = 0;
    loop {
        let surplus = move |tx: &mut Tx<'_>| {
            let system = SystemScope::for_background();
            otaru_store::surplus_shadow_history(tx, &system, kept, HISTORY_ROWS)
        };
        let surplus = app.inner.store.read(surplus).await?;
        let is_last = surplus.len() < HISTORY_ROWS as usize;
        let work = move |tx: &mut Tx<'_>| {
            otaru_store::drop_shadow_history(tx, &SystemScope::for_background(), &surplus)
        };
        dropped += app.inner.store.write(work).await?;
        if is_last {
            return Ok(dropped);
        }
    }
}
