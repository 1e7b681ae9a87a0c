//! Keys that were stolen, and then replaced without touching a device.

use otaru_wire::Reason;

use super::forge::{Key, now};
use super::heist::{Heist, RELEASE, SERVER, manifest};

/// Number of the release key that takes the stolen one's place.
const NEW_RELEASE: u8 = 7;

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_release_key_is_worth_nothing_once_it_is_revoked() {
    let mut heist = Heist::begin().await;
    let (stolen, new) = (&Key::new(RELEASE), &Key::new(NEW_RELEASE));
    heist.serve_root(2, &[new], Some(&Key::new(SERVER)), &[stolen]);
    heist.put_up(&manifest("1.0.6", 6), stolen);
    assert_eq!(heist.wish("1.0.6").await, "failed key_revoked, runs 1.0.4");
    heist.takes(NEW_RELEASE, 90).await;
    // Hidden again: a root only ever moves forward.
    heist.rig.web.files.lock().unwrap().documents.remove("root/2");
    heist.restart().await;
    heist.put_up(&manifest("1.0.8", 99), stolen);
    assert_eq!(heist.wish("1.0.8").await, "failed key_revoked, runs 1.0.9");
    heist.takes(NEW_RELEASE, 91).await;
}

/// Replaced, as a key is that was only lost; that is enough against what it signs from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_release_key_that_was_rotated_out_signs_nothing_more() {
    let mut heist = Heist::begin().await;
    heist.serve_root(2, &[&Key::new(NEW_RELEASE)], Some(&Key::new(SERVER)), &[]);
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed manifest_untrusted, runs 1.0.4");
    heist.takes(NEW_RELEASE, 90).await;
}

/// What it signed before binds until it is revoked, and that is not too late then.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_forward_outlives_a_rotation_until_the_key_is_revoked() {
    let mut heist = Heist::begin().await;
    let (stolen, new, server) = (&Key::new(RELEASE), &Key::new(NEW_RELEASE), &Key::new(SERVER));
    heist.put_up(&manifest("1.0.7", (1 << 53) - 1), stolen);
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.serve_root(2, &[new], Some(server), &[]);
    heist.put_up(&manifest("1.0.8", 8), new);
    assert_eq!(heist.wish("1.0.8").await, "failed sequence_older, runs 1.0.7");
    heist.serve_root(3, &[new], Some(server), &[stolen]);
    assert_eq!(heist.wish("1.0.8").await, "confirmed, runs 1.0.8");
    heist.takes(NEW_RELEASE, 90).await;
}

/// The memory of signatures is damaged, and then a key is stolen and revoked: what ran before
/// the theft keeps its floor, although nobody remembers who signed it.
#[tokio::test(flavor = "multi_thread")]
async fn what_ran_with_a_lost_memory_keeps_its_floor_through_a_revocation() {
    let mut heist = Heist::begin().await;
    let (release, stolen, server) = (&Key::new(RELEASE), &Key::new(4), &Key::new(SERVER));
    heist.put_up(&manifest("1.0.6", 6), release);
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.device.cut_power().await;
    heist.rig.damage_trust(&heist.device);
    heist.device.start();
    heist.logs(Reason::TrustLost).await;
    assert_eq!(heist.wish("1.0.5").await, "failed sequence_older, runs 1.0.6");
    heist.serve_root(2, &[release, stolen], Some(server), &[]);
    heist.put_up(&manifest("1.0.7", (1 << 53) - 1), stolen);
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.serve_root(3, &[release], Some(server), &[stolen]);
    assert_eq!(heist.wish("1.0.5").await, "failed sequence_older, runs 1.0.7");
    heist.takes_the_next_release().await;
    // It is kept now, and told of once.
    let reason = Reason::TrustLost.number().into();
    let logs = heist.rig.logs(&heist.device);
    let told = logs.iter().filter(|record| record.extra.get("reason") == Some(&reason));
    assert_eq!(told.count(), 1);
}

/// An honest timestamp that was seen says how far the roots go.
#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_hidden_is_missed() {
    let mut heist = Heist::begin().await;
    heist.serve_timestamp(now(), 2);
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed root_withheld, runs 1.0.4");
    let (stolen, new) = (&Key::new(RELEASE), &Key::new(NEW_RELEASE));
    heist.serve_root(2, &[new], Some(&Key::new(SERVER)), &[stolen]);
    heist.takes(NEW_RELEASE, 90).await;
}

/// A device that never updated learns of it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_root_is_learned_without_an_update() {
    let mut heist = Heist::begin().await;
    heist.reports(|trust| trust.root == 1).await;
    heist.serve_root(2, &[&Key::new(NEW_RELEASE)], Some(&Key::new(SERVER)), &[]);
    heist.restart().await;
    heist.reports(|trust| trust.root == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_key_that_was_replaced_orders_nothing() {
    let mut heist = Heist::begin().await;
    let release = &Key::new(RELEASE);
    heist.serve_root(2, &[release], Some(&Key::new(5)), &[&Key::new(SERVER)]);
    assert_eq!(heist.wish("1.0.5").await, "failed order_untrusted, runs 1.0.4");
    heist.orders(|order| Some(order.sign(&Key::new(5))));
    heist.installs_next(RELEASE, 90).await;
}
