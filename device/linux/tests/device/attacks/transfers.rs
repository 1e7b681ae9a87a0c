//! Answers that never end, or never come.

use otaru_wire::Reason;

use super::forge::Key;
use super::heist::{Heist, manifest};
use crate::web::Mishap;

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_image_ends_where_the_signed_one_does() {
    let mut heist = Heist::begin().await;
    for _ in 0..4 {
        heist.rig.web.then(Mishap::Endless);
    }
    assert_eq!(heist.wish("1.0.5").await, "failed too_many_bytes, runs 1.0.4");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_document_ends_at_its_limit() {
    let mut heist = Heist::begin().await;
    heist.rig.web.files.lock().unwrap().endless_documents = 4;
    assert_eq!(heist.wish("1.0.5").await, "failed too_many_bytes, runs 1.0.4");
    // Nor do the small ones take a kilobyte more than they can have.
    heist.rig.serve("timestamp", vec![0xD2; 4096]);
    heist.restart().await;
    heist.reports(|trust| trust.reason == Some(Reason::TooManyBytes)).await;
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_trickle_is_a_stall_and_is_tried_again() {
    let mut heist = Heist::begin().await;
    heist.rig.web.then(Mishap::Trickle);
    heist.rig.web.then(Mishap::Trickle);
    assert_eq!(heist.wish("1.0.5").await, "confirmed, runs 1.0.5");
    heist.logs(Reason::DownloadStalled).await;
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_document_is_a_stall_and_is_tried_again() {
    let mut heist = Heist::begin().await;
    heist.put_up(&manifest("1.0.6", 6), &Key::new(super::heist::RELEASE));
    heist.rig.web.files.lock().unwrap().slow_documents = 1;
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.logs(Reason::DownloadStalled).await;
    heist.takes_the_next_release().await;
}
