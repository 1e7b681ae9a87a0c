//! Devices whose clock was never set, or is wrong: that may delay an update, and stops none.

use otaru_linux::SimClock;
use otaru_wire::Reason;

use super::forge::{Key, Manifest, Order, Timestamp, now};
use super::heist::{Heist, RELEASE, SERVER, manifest};

/// Before this code was written.
const LONG_AGO: i64 = 1_700_000_000;
/// The year 3000.
const FAR_AHEAD: i64 = 32_503_680_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_stops_no_update() {
    for clock in [
        SimClock::Unset,
        SimClock::At(0),
        SimClock::At(LONG_AGO),
        SimClock::At(now() - 86_400),
        SimClock::At(FAR_AHEAD),
    ] {
        let mut heist = Heist::begin_with(|options| options.clock = clock).await;
        heist.orders(|order| Some(Order { expires_at: LONG_AGO, ..order }.sign(&Key::new(SERVER))));
        assert_eq!(heist.wish("1.0.5").await, "confirmed, runs 1.0.5", "{clock:?}");
        heist.takes_the_next_release().await;
    }
}

/// A clock behind the newest timestamp is not known, so nothing is from the future by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_not_set_calls_no_timestamp_untrusted() {
    for clock in [SimClock::Unset, SimClock::At(0), SimClock::At(LONG_AGO)] {
        let mut heist = Heist::begin_with(|options| options.clock = clock).await;
        let fresh = heist.reports(|trust| trust.timestamp.is_some()).await;
        assert_eq!(fresh.reason, None, "{clock:?}");
        // An older one is still older, and one that ended before this code was written has ended.
        heist.serve_timestamp(fresh.timestamp.unwrap() - 1, 1);
        heist.restart().await;
        heist.reports(|trust| trust.reason == Some(Reason::TimestampStale)).await;
        heist.takes_the_next_release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_clock_only_what_has_surely_passed_is_over() {
    let change = |options: &mut otaru_linux::SimOptions| options.clock = SimClock::Unset;
    let mut heist = Heist::without_server_key_with(change).await;
    let until = |expires_at| Manifest { expires_at: Some(expires_at), ..manifest("1.0.6", 6) };
    heist.put_up(&until(LONG_AGO), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed manifest_expired, runs 1.0.4");
    // A minute ago: nothing tells the device that.
    heist.put_up(&until(now() - 60), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.serve_root_until(2, LONG_AGO);
    heist.put_up(&manifest("1.0.7", 7), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.7").await, "failed root_expired, runs 1.0.6");
    // A minute ago again; but now the root names a server key, whose timestamp tells.
    heist.serve_root_until(3, now() - 60);
    heist.serve_timestamp(now(), 3);
    assert_eq!(heist.wish("1.0.7").await, "failed root_expired, runs 1.0.6");
    heist.serve_root_until(4, now() + 3600);
    heist.serve_timestamp(now(), 4);
    heist.installs_next(RELEASE, 90).await;
}

/// With the server key: no clock says that the year 3000 is not now. Another key is the way out.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_clock_a_fast_forward_counts_until_the_server_key_is_replaced() {
    let mut heist = Heist::begin_with(|options| options.clock = SimClock::Unset).await;
    heist.serve_timestamp(FAR_AHEAD, 1);
    heist.restart().await;
    heist.reports(|trust| trust.timestamp == Some(FAR_AHEAD)).await;
    let honest = Manifest { expires_at: Some(now() + 86_400), ..manifest("1.0.6", 6) };
    heist.put_up(&honest, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed manifest_expired, runs 1.0.4");
    let new = &Key::new(5);
    heist.serve_root(2, &[&Key::new(RELEASE)], Some(new), &[&Key::new(SERVER)]);
    let stamp = Timestamp { signed_at: now(), expires_at: now() + 60, sequence: 6, root_number: 2 };
    heist.rig.serve("timestamp", stamp.sign(new));
    heist.orders(|order| Some(order.sign(&Key::new(5))));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.installs_next(RELEASE, 90).await;
}
