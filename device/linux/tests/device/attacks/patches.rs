//! Patches of whoever holds the server: what they make counts by the signed list alone.

use otaru_patches::{make, pack_records};
use otaru_release::patch::{Codec, HEADER_BYTES};
use sha2::Digest as _;

use super::forge::Key;
use super::heist::{Heist, RELEASE, image_of, manifest};

const CODEC: Codec = Codec::Lzma8K;

/// A device that runs 1.0.6, and 1.0.7 to be wished for.
async fn heist() -> Heist {
    let mut heist = Heist::begin().await;
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.put_up(&manifest("1.0.7", 7), &Key::new(RELEASE));
    heist
}

/// A patch from one image to another that says it makes 1.0.7 from 1.0.6.
fn forged(from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut patch = make(from, to, CODEC).unwrap();
    let [base, target] = ["1.0.6", "1.0.7"].map(|version| sha2::Sha256::digest(image_of(version)));
    patch[16..48].copy_from_slice(&target);
    patch[48..80].copy_from_slice(&base);
    patch
}

impl Heist {
    /// The thief's patch for devices that run 1.0.6.
    fn slip(&self, patch: Vec<u8>) {
        self.rig.serve_patch("1.0.7", &image_of("1.0.6"), patch);
    }

    /// What the device said of it.
    async fn refused(&mut self, why: &str) {
        let message = format!("update to 1.0.7 goes on with the full image: {why}");
        self.rig.logged_text(&mut self.device, &message).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_by_patch_is_not_what_was_signed() {
    let mut heist = heist().await;
    heist.slip(forged(&image_of("1.0.6"), &image_of("1.0.4")));
    // The image itself is honest.
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.refused("the patch made other bytes (image_corrupt)").await;
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_by_patch_and_image_ends_the_update() {
    let mut heist = heist().await;
    heist.slip(forged(&image_of("1.0.6"), &image_of("1.0.4")));
    let old = image_of("1.0.4").into();
    heist.rig.web.files.lock().unwrap().images.insert("1.0.7".into(), old);
    assert_eq!(heist.wish("1.0.7").await, "failed image_corrupt, runs 1.0.6");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_says_honestly_what_it_makes_and_is_refused_by_its_header() {
    let mut heist = heist().await;
    heist.slip(make(&image_of("1.0.6"), &image_of("1.0.4"), CODEC).unwrap());
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.refused("the patch makes another image (6)").await;
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_from_another_base_makes_nothing() {
    let mut heist = heist().await;
    let honest = make(&image_of("1.0.4"), &image_of("1.0.7"), CODEC).unwrap();
    heist.slip(honest);
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.refused("the patch starts from another image (7)").await;
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_lies_about_its_base_makes_other_bytes() {
    let mut heist = heist().await;
    // Small differences to a base that is not there.
    let from = [&image_of("1.0.7")[..200_000], &image_of("1.0.4")[200_000..]].concat();
    heist.slip(forged(&from, &image_of("1.0.7")));
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.refused("the patch made other bytes (image_corrupt)").await;
    heist.takes_the_next_release().await;
}

/// A few bytes that unpack to a hundred MiB: the segment ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_makes_no_more_than_its_segment() {
    let mut heist = heist().await;
    // No difference, then an extra of 2^27 - 1 zeros.
    let mut records = vec![0x00, 0xBF, 0xFF, 0xFF, 0x7F];
    records.resize(4 << 20, 0);
    let packed = pack_records(&records, CODEC).unwrap();
    assert!(packed.len() < 4_000, "{} bytes", packed.len());
    let mut bomb = forged(&image_of("1.0.6"), &image_of("1.0.7"));
    bomb.truncate(HEADER_BYTES + 4 * 3);
    for _ in 0..3 {
        bomb.extend((packed.len() as u32).to_le_bytes());
        bomb.extend([0; 4]);
        bomb.extend(&packed);
    }
    heist.slip(bomb);
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    heist.refused("the patch makes more than its segment (11)").await;
    heist.takes_the_next_release().await;
}

/// Longer than any image, and then without an end.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_patch_ends_where_the_image_would() {
    let mut heist = heist().await;
    let mut endless = forged(&image_of("1.0.6"), &image_of("1.0.7"))[..HEADER_BYTES + 12].to_vec();
    // One segment after the other that packs nothing well, each as long as one may be.
    let noise = pack_records(&[&[0x00, 0xBF, 0x80, 0x40][..], &image_of("1.0.4")].concat(), CODEC);
    let noise = noise.unwrap();
    endless.extend((2 * 131_072_u32).to_le_bytes());
    endless.extend([0; 4]);
    endless.extend(noise);
    heist.slip(endless);
    heist.rig.web.then_patch(crate::web::Mishap::Endless);
    assert_eq!(heist.wish("1.0.7").await, "confirmed, runs 1.0.7");
    let said = heist.rig.logs(&heist.device);
    assert!(said.iter().any(|log| log.code.as_deref() == Some("OTA_PATCH_REFUSED")), "{said:?}");
    heist.takes_the_next_release().await;
}
