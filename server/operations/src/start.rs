//! What a server does once when it starts, and then every second.

use std::time::Duration;

use otaru_store::{Scope, SystemScope, Tx};
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use crate::{
    App, OperationError, deadlines, events, expire_silent_updates, finish_releases,
    images::finish_deletions,
    look_at_due_offers, patches, remove_orphans,
    retention::{trim, trim_shadow_history},
    roots,
    tokens::{Secret, admin_token},
};

/// Ticks between two looks at offers whose reminder or deadline has come.
const OFFERS_EVERY: u64 = 30;

/// Ticks between two looks at images whose deletion did not end: a minute.
const DELETIONS_EVERY: u64 = 60;

/// Ticks between two times that the counts of idle things are dropped.
const IDLE_EVERY: u64 = 10;

/// How late a deadline may be noticed.
const TICK: Duration = Duration::from_secs(1);

/// Ticks between two rounds of what has time: an hour. The first is at the start.
const ROUND_EVERY: u64 = 3_600;

/// Ticks between two looks at images that nobody names: a day.
const DAY_EVERY: u64 = 24 * ROUND_EVERY;

/// Brings the database to what is true after a start: nobody is online, silence begins
/// to count anew, and it is known who signed each release. Call it before any listener opens.
///
/// With `make_admin_token` it also makes an administrator's token and returns it: for the
/// first start, when there is no other way in.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Random`].
pub async fn start_up(app: &App, make_admin_token: bool) -> Result<Option<String>, OperationError> {
    let now = app.now_ms();
    let secret = if make_admin_token { Some(Secret::random()?) } else { None };
    let text = secret.as_ref().map(Secret::text);
    let (app_, scope) = (app.clone(), Scope::of(app.default_organisation().clone()));
    let work = move |tx: &mut Tx<'_>| {
        for device in otaru_store::close_all_sessions(tx, &SystemScope::for_background(), now)? {
            events::device_presence(tx, &device, false, now)?;
        }
        deadlines::resume_deadlines(&app_, tx)?;
        if let Some(secret) = &secret {
            admin_token(tx, &scope, secret, now)?;
        }
        Ok::<_, OperationError>(())
    };
    app.inner.store.write(work).await?;
    roots::read_signers(app).await?;
    Ok(text)
}

/// Watches deadlines and retention, and finishes what was left undone, until it is dropped.
pub async fn run_background(app: App) {
    // What is wanted of patches is counted over whole fleets: no deadline waits for that.
    tokio::join!(watch_deadlines(&app), patches::keep_planned(&app));
}

async fn watch_deadlines(app: &App) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        ticks.tick().await;
        if let Err(cause) = expire_silent_updates(app).await {
            error!(error = &cause as &dyn std::error::Error, "Deadlines were not looked at");
        }
        if tick % OFFERS_EVERY == 0
            && let Err(cause) = look_at_due_offers(app).await
        {
            error!(error = &cause as &dyn std::error::Error, "Offers were not looked at");
        }
        if tick % DELETIONS_EVERY == 0
            && let Err(cause) = finish_deletions(app).await
        {
            error!(error = &cause as &dyn std::error::Error, "Images were not deleted");
        }
        if tick % IDLE_EVERY == 0 {
            app.inner.open_requests.forget_idle();
        }
        if tick % ROUND_EVERY != 0 {
            continue;
        }
        if let Err(cause) = finish_releases(app).await {
            error!(error = &cause as &dyn std::error::Error, "Releases were not finished");
        }
        if let Err(cause) = trim(app).await {
            error!(error = &cause as &dyn std::error::Error, "Old logs were not dropped");
        }
        if tick == 0
            && let Err(cause) = trim_shadow_history(app).await
        {
            error!(error = &cause as &dyn std::error::Error, "Old versions were not dropped");
        }
        if tick % DAY_EVERY == 0
            && let Err(cause) = remove_orphans(app).await
        {
            error!(error = &cause as &dyn std::error::Error, "Unused images were not looked for");
        }
    }
}
