//! Updates by patch: what comes over the link, and what flash holds.

use std::time::Duration;

use otaru_patches::{make, pack};
use otaru_release::patch::{Codec, HEADER_BYTES, SEGMENT_BYTES};
use otaru_release::{Behaviour, Chip, ImageBuilder};
use otaru_slots::CHUNK_BYTES;
use otaru_wire::{Digest, Phase, Reason};

use crate::rig::{Device, IMAGE_BYTES, Rig, image};
use crate::web::{Asked, Mishap, Web};

/// Header and table of every patch here: three segments.
const TABLE_BYTES: usize = HEADER_BYTES + 4 * 3;

/// From what a new device runs to 1.0.5, which has little in common: a long patch.
fn patch() -> Vec<u8> {
    make(&image("1.0.4", Behaviour::Pass), &image("1.0.5", Behaviour::Pass), Codec::Lzma8K).unwrap()
}

/// Where a segment begins.
fn segment(patch: &[u8], nth: usize) -> usize {
    let at = HEADER_BYTES + 4 * nth;
    u32::from_le_bytes(patch[at..at + 4].try_into().unwrap()) as usize
}

async fn rig_with(patch: &[u8]) -> (Rig, Device) {
    let rig = Rig::start().await;
    rig.serve_patch("1.0.5", &image("1.0.4", Behaviour::Pass), patch.to_vec());
    let device = rig.device("clock-01");
    (rig, device)
}

async fn update(rig: &Rig, device: &mut Device) -> String {
    device.start();
    rig.wish(device, "1.0.5", "u-1").await;
    rig.end_of(device, "u-1").await
}

fn whole() -> Asked {
    Asked { range: None, if_range: None }
}

fn table() -> Asked {
    Asked { range: Some(format!("bytes=0-{}", TABLE_BYTES - 1)), if_range: None }
}

fn rest(of: &[u8], from: usize) -> Asked {
    let if_range = Some(format!("\"{}\"", Digest::of(of)));
    Asked { range: Some(format!("bytes={from}-")), if_range }
}

/// The records with this code, as reason and message.
fn refusals(rig: &Rig, device: &Device) -> Vec<String> {
    let logs = rig.logs(device);
    let refused = logs.iter().filter(|log| log.code.as_deref() == Some("OTA_PATCH_REFUSED"));
    refused.map(|log| log.message.clone()).collect()
}

/// How many tries the device told of.
fn tries(rig: &Rig, device: &Device) -> u32 {
    rig.progress(device).iter().map(|progress| progress.attempt).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_change_comes_as_a_small_patch() {
    let rig = Rig::start().await;
    let (from, seed) = (image("1.0.4", Behaviour::Pass), Digest::of(b"1.0.4").as_bytes()[0]);
    let to = ImageBuilder::new(Chip::Esp32C3).size_bytes(IMAGE_BYTES).version("1.0.6");
    let to = to.seed(seed.into()).behaviour(Behaviour::Pass).build();
    let manifest = rig.manifest("1.0.6", 6, &to);
    rig.serve("1.0.6.manifest", manifest.sign(&rig.release_key));
    let patch = make(&from, &to, Codec::Lzma8K).unwrap();
    assert!(patch.len() < 1_000, "{} bytes", patch.len());
    rig.serve_patch("1.0.6", &from, patch.clone());
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish_for(&device, "1.0.6", Digest::of(&to), "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.6");
    assert_eq!((rig.web.asked_patches(), rig.web.asked()), (vec![whole()], vec![]));
    let (received, made) = (patch.len(), to.len());
    let tally = format!("update to 1.0.6: {received} bytes received for {made} bytes of the image");
    rig.logged_text(&mut device, &tally).await;
    // Bytes shown are those of the image.
    assert_eq!(rig.bytes_done(&mut device, 1).await.total, made as u64);
}

/// The table tells where the segment begins that flash shows, and the rest is of the same patch.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_patch_goes_on_at_its_segment() {
    let patch = patch();
    let (rig, mut device) = rig_with(&patch).await;
    rig.web.then_patch(Mishap::StallAfter(segment(&patch, 2) + 1_000));
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    let third = segment(&patch, 2);
    assert_eq!(rig.web.asked_patches(), [whole(), table(), rest(&patch, third)]);
    assert_eq!((rig.web.asked(), refusals(&rig, &device)), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_survives_a_lost_power_in_the_middle_of_a_segment() {
    let patch = patch();
    let (rig, mut device) = rig_with(&patch).await;
    // So far that the first chunk of the second segment is whole.
    let (second, third) = (segment(&patch, 1), segment(&patch, 2));
    rig.web.then_patch(Mishap::StallAfter(second + (third - second) * 3 / 4));
    device.options.stall_limit = Duration::from_secs(60);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.flash_holds(&mut device, (SEGMENT_BYTES + CHUNK_BYTES) as usize).await;
    device.cut_power().await;
    device.start();
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    assert_eq!(rig.web.asked_patches(), [whole(), table(), rest(&patch, second)]);
    assert_eq!(rig.web.asked(), []);
}

/// For devices that run what no patch was made from.
#[tokio::test(flavor = "multi_thread")]
async fn a_packed_image_is_a_patch_from_anything() {
    let packed = pack(&image("1.0.5", Behaviour::Pass), Codec::Lzma4K).unwrap();
    let (rig, mut device) = rig_with(&packed).await;
    rig.web.then_patch(Mishap::StallAfter(segment(&packed, 1) + 1_000));
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    let second = segment(&packed, 1);
    assert_eq!(rig.web.asked_patches(), [whole(), table(), rest(&packed, second)]);
    assert_eq!((rig.web.asked(), refusals(&rig, &device)), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_may_lie_elsewhere() {
    let (patch, from) = (patch(), image("1.0.4", Behaviour::Pass));
    let (rig, mut device) = rig_with(&patch).await;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = rig.authority.issue_server(&names, std::time::SystemTime::now()).unwrap();
    let elsewhere = Web::start(rig.authority.people_tls(&server).unwrap()).await;
    let base = Digest::of(&from).to_string();
    let key = ("moved".to_owned(), base.clone());
    elsewhere.files.lock().unwrap().patches.insert(key, patch.into());
    let to = format!("{}/firmware/clock/moved.patch?base={base}&codec=2", elsewhere.url());
    rig.web.then_patch(Mishap::Redirect(to));
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    assert_eq!((elsewhere.asked_patches(), rig.web.asked()), (vec![whole()], vec![]));
}

/// Another patch behind the address begins with its own header, and what stands is not made again.
#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_changed_on_the_way_is_never_spliced() {
    let from = image("1.0.4", Behaviour::Pass);
    let (old, new) =
        (patch(), make(&from, &image("1.0.5", Behaviour::Pass), Codec::Lzma4K).unwrap());
    let (rig, mut device) = rig_with(&old).await;
    rig.web.then_patch(Mishap::StallAfter(segment(&old, 2) + 1_000));
    // The table is still that of the old one.
    rig.web.then_patch(Mishap::StallAfter(TABLE_BYTES));
    rig.web.then_patch(Mishap::OtherFile(new.into()));
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    assert_eq!(rig.web.asked_patches().len(), 3);
    assert_eq!((rig.web.asked(), refusals(&rig, &device)), (vec![], vec![]));
}

/// At once, behind the chunks that are right, and in the same try.
#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_is_no_good_gives_way_to_the_image() {
    let mut patch = patch();
    let middle = segment(&patch, 1) + 30_000;
    patch[middle] ^= 0x10;
    let (rig, mut device) = rig_with(&patch).await;
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    let said = refusals(&rig, &device);
    let [said] = said.as_slice() else { panic!("{said:?}") };
    assert!(said.starts_with("update to 1.0.5 goes on with the full image: the patch"), "{said}");
    let etag = Digest::of(&image("1.0.5", Behaviour::Pass));
    let if_range = Some(format!("\"{etag}\""));
    let behind = Asked { range: Some(format!("bytes={SEGMENT_BYTES}-")), if_range };
    assert_eq!((rig.web.asked_patches(), rig.web.asked()), (vec![whole()], vec![behind]));
    assert_eq!(tries(&rig, &device), 1, "it cost no try");
}

/// The link may fail afterwards: the image goes on by itself, without another look at the patch.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_patch_is_not_tried_again() {
    let (rig, mut device) = rig_with(&[0x55; 2_000]).await;
    rig.web.then(Mishap::StallAfter(150_000));
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    assert_eq!((rig.web.asked_patches().len(), rig.web.asked().len()), (1, 2));
    assert_eq!(
        refusals(&rig, &device),
        ["update to 1.0.5 goes on with the full image: this is not a patch (1)"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_patch_give_way_to_the_image() {
    let patch = patch();
    for mishap in [
        Mishap::Status(500),
        Mishap::Status(410),
        Mishap::Redirect("http://localhost/firmware/clock/1.0.5.patch".into()),
        Mishap::ShortWhole(20_000),
    ] {
        let (rig, mut device) = rig_with(&patch).await;
        rig.web.then_patch(mishap.clone());
        assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5", "{mishap:?}");
        assert_eq!(rig.web.asked_patches().len(), 1, "{mishap:?}");
        assert_eq!((refusals(&rig, &device).len(), tries(&rig, &device)), (1, 1), "{mishap:?}");
    }
}

/// Three times a link that goes down without a chunk: then it is the patch that gives way.
#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_never_comes_gives_way_to_the_image() {
    let (rig, mut device) = rig_with(&patch()).await;
    for _ in 0..5 {
        rig.web.then_patch(Mishap::StallAfter(500));
    }
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    assert_eq!((rig.web.asked_patches().len(), rig.web.asked()), (3, vec![whole()]));
    let waited = rig.phase(&mut device, Phase::Waiting).await;
    assert_eq!(waited.reason, Some(Reason::DownloadStalled));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_told_so_asks_for_no_patch() {
    let (rig, mut device) = rig_with(&patch()).await;
    device.options.patches = false;
    assert_eq!(update(&rig, &mut device).await, "confirmed, runs 1.0.5");
    assert_eq!((rig.web.asked_patches(), rig.web.asked()), (vec![], vec![whole()]));
}
