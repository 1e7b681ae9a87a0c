//! Freeze and fast-forward: what is new is withheld, or the future is signed.

use otaru_wire::Reason;

use super::forge::{Key, Timestamp, now};
use super::heist::{Heist, RELEASE, SERVER, THIEF, manifest};

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_is_seen_by_its_old_timestamp_and_stops_no_update() {
    let mut heist = Heist::begin().await;
    let fresh = heist.reports(|trust| trust.reason.is_none()).await;
    // Somebody between server and device answers with what was true a week ago.
    let week_ago = now() - 7 * 86_400;
    heist.serve_timestamp(week_ago, 1);
    heist.restart().await;
    let stale = heist.reports(|trust| trust.reason == Some(Reason::TimestampStale)).await;
    assert_eq!(stale.timestamp, Some(week_ago));
    assert!(fresh.timestamp.unwrap() > week_ago);
    heist.logs(Reason::TimestampStale).await;
    // The clock is never needed for correctness: what is verified and newer is taken.
    heist.installs_next(RELEASE, 90).await;
    heist.serve_timestamp(now(), 1);
    heist.restart().await;
    heist.reports(|trust| trust.reason.is_none()).await;
}

/// It has not expired, and a newer one was seen: no clock is needed to tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_older_than_one_seen_is_stale() {
    let mut heist = Heist::begin().await;
    heist.serve_timestamp(now(), 1);
    heist.reports(|trust| trust.reason.is_none()).await;
    heist.serve_timestamp(now() - 3600, 1);
    heist.restart().await;
    heist.reports(|trust| trust.reason == Some(Reason::TimestampStale)).await;
    heist.takes_the_next_release().await;
}

/// It is fresh by every clock and the first one seen, and does not know of what runs here.
#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_from_before_what_was_installed_is_stale() {
    let mut heist = Heist::begin().await;
    heist.installs_next(RELEASE, 90).await;
    heist.serve_timestamp_of(now(), 1, 89);
    heist.restart().await;
    heist.reports(|trust| trust.reason == Some(Reason::TimestampStale)).await;
    heist.takes(RELEASE, 91).await;
    heist.serve_timestamp(now(), 1);
    heist.restart().await;
    heist.reports(|trust| trust.reason.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_timestamp_or_anybodys_is_told_apart() {
    let mut heist = Heist::begin().await;
    heist.rig.web.files.lock().unwrap().documents.remove("timestamp");
    heist.restart().await;
    heist.reports(|trust| trust.reason == Some(Reason::TimestampMissing)).await;
    let stamp = Timestamp { signed_at: now(), expires_at: now() + 60, sequence: 5, root_number: 1 };
    for key in [THIEF, RELEASE] {
        heist.rig.serve("timestamp", stamp.sign(&Key::new(key)));
        heist.restart().await;
        heist.reports(|trust| trust.reason == Some(Reason::TimestampUntrusted)).await;
    }
    heist.installs_next(RELEASE, 90).await;
}

/// With the server key: after a timestamp of the year 3000 all honest ones would look old.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_forwarded_timestamp_is_from_the_future() {
    let mut heist = Heist::begin().await;
    heist.serve_timestamp(32_503_680_000, 1);
    heist.restart().await;
    heist.reports(|trust| trust.reason == Some(Reason::TimestampUntrusted)).await;
    heist.serve_timestamp(now(), 1);
    heist.restart().await;
    heist.reports(|trust| trust.reason.is_none()).await;
    heist.takes_the_next_release().await;
}

/// With the server key: no root can ever be new enough, until the root names another.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_forwarded_root_number_is_withheld_until_the_server_key_is_replaced() {
    let mut heist = Heist::begin().await;
    heist.serve_timestamp(now(), u64::MAX);
    assert_eq!(heist.wish("1.0.5").await, "failed root_withheld, runs 1.0.4");
    let (release, server) = (&Key::new(RELEASE), &Key::new(5));
    heist.serve_root(2, &[release], Some(server), &[&Key::new(SERVER)]);
    let stamp = Timestamp { signed_at: now(), expires_at: now() + 60, sequence: 5, root_number: 2 };
    heist.rig.serve("timestamp", stamp.sign(&Key::new(5)));
    heist.orders(|order| Some(order.sign(&Key::new(5))));
    heist.installs_next(RELEASE, 90).await;
}

/// With a stolen release key: no honest sequence number is above this one.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_forwarded_sequence_counts_until_its_key_is_revoked() {
    let mut heist = Heist::begin().await;
    let stolen = 4;
    let (release, server) = (&Key::new(RELEASE), &Key::new(SERVER));
    heist.serve_root(2, &[release, &Key::new(stolen)], Some(server), &[]);
    heist.put_up(&manifest("1.0.6", 6), release);
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    let mut last = manifest("1.0.7", u64::MAX);
    last.security_counter = u32::MAX;
    heist.put_up(&last, &Key::new(stolen));
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.put_up(&manifest("1.0.8", 8), release);
    assert_eq!(heist.wish("1.0.8").await, "failed sequence_older, runs 1.0.7");
    heist.serve_root(3, &[release], Some(server), &[&Key::new(stolen)]);
    assert_eq!(heist.wish("1.0.8").await, "confirmed, runs 1.0.8");
    // What the honest key said still holds.
    heist.put_up(&manifest("1.0.5", 5), release);
    assert_eq!(heist.wish("1.0.5").await, "failed sequence_older, runs 1.0.8");
    heist.takes_the_next_release().await;
}
