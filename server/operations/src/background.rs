//! What a server does by itself, again and again. Each kind of work has rounds of its own, so that
//! none waits for another: deadlines least of all.

use std::future::ready;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use crate::{
    App, OperationError, expire_silent_updates, finish_releases, forget_patches,
    images::finish_deletions,
    look_at_due_offers, plan_patches, read_trust, remove_orphans,
    retention::{trim, trim_shadow_history},
    warn_of_certificate_ends, warn_of_ended_authorities,
};

/// How late a deadline may be noticed.
const DEADLINES_EVERY: Duration = Duration::from_secs(1);

/// How late it may be noticed what another server of the same database revoked or registered.
const TRUST_EVERY: Duration = Duration::from_secs(1);

/// How late it may be noticed that an offer's reminder or deadline has come.
const OFFERS_EVERY: Duration = Duration::from_secs(30);

/// Between two looks at images whose deletion did not end.
const DELETIONS_EVERY: Duration = Duration::from_secs(60);

/// Between two times that the counts of idle things are dropped.
const IDLE_EVERY: Duration = Duration::from_secs(10);

/// Between two rounds of what has time. Patches are planned beside, when something happens.
const HOUR: Duration = Duration::from_secs(3_600);

/// Between two looks at what changes slowly.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Watches deadlines and retention, plans patches, and finishes what was left undone, until it is
/// dropped. All of it begins at once.
pub async fn run_background(app: App) {
    let app = &app;
    let forget_idle = || {
        app.inner.open_requests.forget_idle();
        ready(Ok(()))
    };
    tokio::join!(
        rounds(DEADLINES_EVERY, "Deadlines were not looked at", || expire_silent_updates(app)),
        rounds(TRUST_EVERY, "Whom to believe was not read", || read_trust(app)),
        rounds(OFFERS_EVERY, "Offers were not looked at", || look_at_due_offers(app)),
        rounds(DELETIONS_EVERY, "Images were not deleted", || finish_deletions(app)),
        rounds(IDLE_EVERY, "Idle things were not forgotten", forget_idle),
        rounds(HOUR, "Releases were not finished", || finish_releases(app)),
        rounds(HOUR, "What is old was not dropped", || trim(app)),
        rounds(HOUR, "Patches were not planned", || plan_patches(app)),
        rounds(HOUR, "Patches were not forgotten", || forget_patches(app)),
        rounds(DAY, "Unused images were not looked for", || remove_orphans(app)),
        rounds(DAY, "Ends of certificates were not looked at", || warn_of_certificate_ends(app)),
        rounds(DAY, "Authorities were not looked at", || warn_of_ended_authorities(app)),
        one_round("Old versions were not dropped", trim_shadow_history(app)),
    );
}

/// Does the work now and then each time after so long. What fails is tried again in its turn.
async fn rounds<T, W>(every: Duration, failure: &'static str, work: impl Fn() -> W)
where
    W: Future<Output = Result<T, OperationError>>,
{
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        one_round(failure, work()).await;
    }
}

async fn one_round<T>(
    failure: &'static str,
    work: impl Future<Output = Result<T, OperationError>>,
) {
    if let Err(cause) = work.await {
        error!(error = &cause as &dyn std::error::Error, "{failure}");
    }
}
