//! Logs and events do not grow for ever, and what has ended is not kept.

use otaru_store::{StoreError, SystemScope, Tx};

use crate::{App, OperationError, provisioning::WAITING_MS, sessions, uploads};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// How long log records are kept.
const LOGS_MS: i64 = 30 * DAY_MS;

/// How long events are kept: a screen that was away longer reads the state itself anew.
const EVENTS_MS: i64 = 7 * DAY_MS;

/// How long a token or a certificate is listed after its end, for who wonders why something
/// stopped.
const TOKENS_MS: i64 = 90 * DAY_MS;

/// Rows that are dropped at once: others write in between.
const ROWS: u32 = 500;

/// Drops what is older than it is kept. Returns how many entries went.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub async fn trim(app: &App) -> Result<u64, OperationError> {
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_background();
        let ended = otaru_store::trim_sessions(
            tx,
            &system,
            now - sessions::IDLE_MS,
            now - sessions::LIFETIME_MS,
        )?;
        let links = otaru_store::trim_invitations(tx, &system, now)?
            + otaru_store::trim_password_resets(tx, &system, now)?;
        let tokens = otaru_store::trim_tokens(tx, &system, now - TOKENS_MS)?
            + otaru_store::trim_certificates(tx, &system, now - TOKENS_MS)?
            + otaru_store::trim_enrolment_tokens(tx, &system, now - TOKENS_MS)?
            + otaru_store::trim_provisionings(tx, &system, now, now - WAITING_MS)?
            + otaru_store::trim_forgotten_certificates(tx, &system, now - DAY_MS)?;
        Ok::<_, OperationError>(ended + links + tokens)
    };
    let ended = app.inner.store.unaudited("what has ended is not kept", work).await?;
    let logs = in_parts(app, move |tx| {
        otaru_store::trim_logs(tx, &SystemScope::for_background(), now - LOGS_MS, ROWS)
    });
    let logs = logs.await?;
    let events = in_parts(app, move |tx| {
        otaru_store::trim_events(tx, &SystemScope::for_background(), now - EVENTS_MS, ROWS)
    });
    let dropped = ended + logs + events.await?;
    Ok(dropped + uploads::forget_idle(app).await? + uploads::sweep(app).await?)
}

/// Drops [`ROWS`] at once until fewer are left. Returns how many went.
async fn in_parts(
    app: &App,
    drop_some: impl Fn(&mut Tx<'_>) -> Result<u64, StoreError> + Clone + Send + 'static,
) -> Result<u64, OperationError> {
    let mut dropped = 0;
    loop {
        let why = "what is too old is not kept";
        let some = app.inner.store.unaudited(why, drop_some.clone()).await?;
        dropped += some;
        if some < u64::from(ROWS) {
            return Ok(dropped);
        }
    }
}

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
            otaru_store::surplus_shadow_history(tx, &system, kept, ROWS)
        };
        let surplus = app.inner.store.read(surplus).await?;
        let is_last = surplus.len() < ROWS as usize;
        let work = move |tx: &mut Tx<'_>| {
            otaru_store::drop_shadow_history(tx, &SystemScope::for_background(), &surplus)
        };
        dropped += app.inner.store.unaudited("fewer versions are kept", work).await?;
        if is_last {
            return Ok(dropped);
        }
    }
}
