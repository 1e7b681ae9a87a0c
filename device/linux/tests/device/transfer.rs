use std::time::Duration;

use otaru_release::Behaviour;
use otaru_slots::CHUNK_BYTES;
use otaru_wire::{Digest, Phase, Reason};

use crate::rig::{Device, IMAGE_BYTES, Rig, image};
use crate::web::{Asked, Mishap, Web};

/// Runs one update with mishaps on its way, to its end.
async fn update_with(mishaps: impl IntoIterator<Item = Mishap>) -> (Rig, Device, String) {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    mishaps.into_iter().for_each(|mishap| rig.web.then(mishap));
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    let end = rig.end_of(&mut device, "u-1").await;
    (rig, device, end)
}

fn whole() -> Asked {
    Asked { range: None, if_range: None }
}

fn rest_from(offset: u32) -> Asked {
    let etag = Digest::of(&image("1.0.5", Behaviour::Pass));
    Asked { range: Some(format!("bytes={offset}-")), if_range: Some(format!("\"{etag}\"")) }
}

fn reasons(rig: &Rig, device: &Device) -> Vec<u64> {
    let logs = rig.logs(device);
    logs.iter().filter_map(|record| record.extra.get("reason")?.as_u64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_download_goes_on_behind_its_last_whole_chunk() {
    let (rig, _, end) = update_with([Mishap::StallAfter(150_000)]).await;
    assert_eq!(end, "confirmed, runs 1.0.5");
    assert_eq!(rig.web.asked(), [whole(), rest_from(2 * CHUNK_BYTES)]);
}

/// How much of what was under way is lost with a reset connection is the kernel's business.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_connection_costs_no_chunk_that_was_whole() {
    let (rig, _, end) = update_with([Mishap::CutAfter(150_000)]).await;
    assert_eq!(end, "confirmed, runs 1.0.5");
    let [first, second] = rig.web.asked().try_into().unwrap();
    assert_eq!(first, whole());
    let chunks = [1, 2].map(|chunks| rest_from(chunks * CHUNK_BYTES));
    assert!(second == whole() || chunks.contains(&second), "found {second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_survives_a_lost_power() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    rig.web.then(Mishap::StallAfter(200_000));
    device.options.stall_limit = Duration::from_secs(60);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.flash_holds(&mut device, 3 * CHUNK_BYTES as usize).await;
    device.cut_power().await;
    device.start();
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    assert_eq!(rig.web.asked(), [whole(), rest_from(3 * CHUNK_BYTES)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_to_a_range_begins_again_and_is_never_appended() {
    let (rig, _, end) = update_with([Mishap::StallAfter(150_000), Mishap::IgnoreRange]).await;
    assert_eq!(end, "confirmed, runs 1.0.5");
    assert_eq!(rig.web.asked(), [whole(), rest_from(2 * CHUNK_BYTES)]);
}

/// What is right already is passed over: such answers cost no erase, and tries alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_begins_again_and_never_ends_is_given_up() {
    let short = [1; 400].map(|_| Mishap::ShortWhole(70_000));
    let (rig, device, end) =
        update_with([Mishap::StallAfter(150_000)].into_iter().chain(short)).await;
    assert_eq!(end, "failed retries_exhausted, runs 1.0.4");
    let down = Reason::LinkDownWhileDownloading.number();
    assert!(reasons(&rig, &device).contains(&u64::from(down)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_on_the_way_is_never_spliced() {
    // Same length, other bytes: only the hashes can tell.
    let other = image("1.0.6", Behaviour::Pass);
    assert_eq!(other.len(), IMAGE_BYTES);
    let mishaps = [Mishap::StallAfter(150_000), Mishap::OtherFile(other.into())];
    let (rig, device, end) = update_with(mishaps).await;
    assert_eq!(end, "confirmed, runs 1.0.5");
    assert!(reasons(&rig, &device).contains(&u64::from(Reason::ImageCorrupt.number())));
    // Nothing of the other file is kept: the last request is for the whole.
    assert_eq!(rig.web.asked(), [whole(), rest_from(2 * CHUNK_BYTES), whole()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_length_is_refused_before_a_byte_is_written() {
    let longer = [image("1.0.5", Behaviour::Pass), vec![0; 16]].concat();
    let (rig, device, end) = update_with([Mishap::OtherFile(longer.into())]).await;
    assert_eq!(end, "confirmed, runs 1.0.5");
    assert!(reasons(&rig, &device).contains(&u64::from(Reason::ContentChanged.number())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_costs_one_more_download() {
    let (rig, device, end) = update_with([Mishap::FlipByte(250_000)]).await;
    assert_eq!(end, "confirmed, runs 1.0.5");
    assert!(reasons(&rig, &device).contains(&u64::from(Reason::ImageCorrupt.number())));
}

#[tokio::test(flavor = "multi_thread")]
async fn bits_that_stay_flipped_end_the_update() {
    let (_, _, end) = update_with([1; 3].map(|_| Mishap::FlipByte(1000))).await;
    assert_eq!(end, "failed image_corrupt, runs 1.0.4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickle_is_a_stall() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    rig.web.then(Mishap::Trickle);
    rig.web.files.lock().unwrap().slow_documents = 1;
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    let stalled = u64::from(Reason::DownloadStalled.number());
    let stalls = reasons(&rig, &device).into_iter().filter(|&reason| reason == stalled).count();
    assert_eq!(stalls, 2, "the manifest and the image");
}

/// Quick enough for every window, and still never done.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_takes_too_long_is_a_stall() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.rate_window = Duration::from_secs(600);
    device.options.document_limit = Duration::from_millis(500);
    rig.web.files.lock().unwrap().slow_documents = 1;
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    assert_eq!(reasons(&rig, &device), [u64::from(Reason::DownloadStalled.number())]);
}

/// Progress is what was read back from flash: while the link stalls it stands still,
/// at no more than the bytes that came.
#[tokio::test(flavor = "multi_thread")]
async fn progress_stops_with_the_link() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    rig.web.then(Mishap::StallAfter(150_000));
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    let waiting = rig.phase(&mut device, Phase::Waiting).await;
    assert_eq!(waiting.reason, Some(Reason::DownloadStalled));
    let came = 150_000 - 150_000 % u64::from(otaru_slots::SECTOR_BYTES);
    assert_eq!(waiting.done, came, "all whole sectors that came, and nothing else");
    let progress = rig.progress(&device);
    let first_try = progress.iter().filter(|progress| progress.attempt == 1);
    assert!(first_try.clone().all(|progress| progress.done <= came));
    assert!(first_try.is_sorted_by_key(|progress| progress.done));
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_redirect_is_followed_without_certificate() {
    let rig = Rig::start().await;
    let server = rig.authority.issue_server(
        &["localhost".to_owned(), "127.0.0.1".to_owned()],
        std::time::SystemTime::now(),
    );
    let elsewhere = Web::start(rig.authority.people_tls(&server.unwrap()).unwrap()).await;
    let bytes = rig.web.files.lock().unwrap().images["1.0.5"].clone();
    elsewhere.files.lock().unwrap().images.insert("moved".into(), bytes);
    let moved = Mishap::Redirect(format!("{}/firmware/clock/moved.bin", elsewhere.url()));
    [moved.clone(), moved].into_iter().for_each(|moved| rig.web.then(moved));
    elsewhere.then(Mishap::StallAfter(150_000));
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    assert_eq!(rig.web.asked(), [whole(), rest_from(2 * CHUNK_BYTES)]);
    // The server's tag is none of what is elsewhere, which would send the whole anew.
    let rest = Asked { if_range: None, ..rest_from(2 * CHUNK_BYTES) };
    assert_eq!(elsewhere.asked(), [whole(), rest]);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_in_a_circle_or_out_of_tls_are_not_followed() {
    for to in ["/firmware/clock/1.0.5.bin", "http://localhost/firmware/clock/1.0.5.bin"] {
        let again = [to, to].map(|to| Mishap::Redirect(to.to_owned()));
        let (rig, device, end) = update_with(again).await;
        assert_eq!(end, "confirmed, runs 1.0.5", "the server mended itself");
        assert!(reasons(&rig, &device).contains(&u64::from(Reason::ServerError.number())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yanked_release_is_not_asked_for_again() {
    let (rig, _, end) = update_with([Mishap::Status(410)]).await;
    assert_eq!(end, "failed release_gone, runs 1.0.4");
    assert_eq!(rig.web.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_image_is_asked_for_a_few_times() {
    let (rig, _, end) = update_with([404; 4].map(Mishap::Status)).await;
    assert_eq!(end, "failed release_not_found, runs 1.0.4");
    assert_eq!(rig.web.asked().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_asked_until_it_is_well() {
    let (_, _, end) = update_with([500, 503, 429].map(Mishap::Status)).await;
    assert_eq!(end, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_without_manifest_is_not_installed() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "9.9.9", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "failed manifest_missing, runs 1.0.4");
}
