//! Orders: somebody else's, yesterday's, and none.

use std::sync::{Arc, Mutex};

use super::forge::{Key, Manifest, Order, now};
use super::heist::{Heist, RELEASE, SERVER, THIEF, manifest};

fn sign(order: &Order) -> Option<Vec<u8>> {
    Some(order.sign(&Key::new(SERVER)))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_devices_order_is_foreign() {
    let mut heist = Heist::begin().await;
    heist.orders(|order| sign(&Order { thing: "clock-02".into(), ..order }));
    assert_eq!(heist.wish("1.0.5").await, "failed order_foreign, runs 1.0.4");
    heist.takes_the_next_release().await;
}

/// Without the server key, all that is left is what was signed once.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_answers_once() {
    let mut heist = Heist::begin().await;
    let captured = Arc::new(Mutex::new(None));
    let capture = Arc::clone(&captured);
    // Taken down on the way, and never delivered.
    heist.orders(move |order| {
        *capture.lock().unwrap() = sign(&order);
        None
    });
    assert_eq!(heist.wish("1.0.5").await, "failed order_missing, runs 1.0.4");
    heist.orders(move |_| captured.lock().unwrap().clone());
    assert_eq!(heist.wish("1.0.5").await, "failed order_foreign, runs 1.0.4");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_about_one_image() {
    let mut heist = Heist::begin().await;
    heist.orders(|order| sign(&Order { sha256: vec![7; 32], ..order }));
    assert_eq!(heist.wish("1.0.5").await, "failed order_foreign, runs 1.0.4");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_another_key_is_untrusted() {
    let mut heist = Heist::begin().await;
    for key in [THIEF, RELEASE] {
        heist.orders(move |order| Some(order.sign(&Key::new(key))));
        assert_eq!(heist.wish("1.0.5").await, "failed order_untrusted, runs 1.0.4");
    }
    heist.takes_the_next_release().await;
}

/// Its random number is this device's, of a moment ago: a clock could only be wrong about that.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_answers_whatever_a_clock_says() {
    let mut heist = Heist::begin().await;
    heist.orders(|order| sign(&Order { expires_at: now() - 86_400, ..order }));
    assert_eq!(heist.wish("1.0.5").await, "confirmed, runs 1.0.5");
    heist.takes_the_next_release().await;
}

/// The thief has the server, and a publisher's downgrade of long ago.
#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_is_installed_when_publisher_and_operator_mean_it() {
    let mut heist = Heist::begin().await;
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    let back = Manifest { is_downgrade: true, ..manifest("1.0.5", 7) };
    heist.put_up(&back, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.5").await, "failed downgrade_not_asked, runs 1.0.6");
    // Not below what runs, whatever it calls itself.
    heist.orders(|order| sign(&Order { is_downgrade: true, ..order }));
    heist.put_up(&Manifest { sequence: 5, ..back.clone() }, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.5").await, "failed sequence_older, runs 1.0.6");
    heist.put_up(&back, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.5").await, "confirmed, runs 1.0.5");
    heist.takes_the_next_release().await;
}

/// Whoever has the server writes desired, and there is no key on it that devices ask for.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_key_a_downgrade_needs_the_publishers_flag_and_a_new_sequence() {
    let mut heist = Heist::without_server_key().await;
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    assert_eq!(heist.wish("1.0.5").await, "failed sequence_older, runs 1.0.6");
    let back = Manifest { is_downgrade: true, ..manifest("1.0.5", 5) };
    heist.put_up(&back, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.5").await, "failed sequence_older, runs 1.0.6");
    // Signed on purpose once, it is installed whenever desired names it.
    heist.put_up(&Manifest { sequence: 7, ..back }, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.5").await, "confirmed, runs 1.0.5");
    // A release that was left out in between, too: it is newer than what runs.
    heist.put_up(&manifest("1.0.7", 8), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.takes_the_next_release().await;
}

/// Older bytes under a new sequence are a release like any other where nobody flags them.
#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_without_its_flag_is_a_release_like_any_other() {
    let mut heist = Heist::begin().await;
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.put_up(&manifest("1.0.5", 7), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.5").await, "confirmed, runs 1.0.5");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_without_server_key_asks_for_neither() {
    let mut heist = Heist::without_server_key().await;
    heist.orders(|_| None);
    heist.rig.web.files.lock().unwrap().documents.remove("timestamp");
    assert_eq!(heist.wish("1.0.5").await, "confirmed, runs 1.0.5");
    assert!(heist.rig.firmware(&heist.device).unwrap().trust.is_none());
}
