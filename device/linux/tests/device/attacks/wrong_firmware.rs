//! Firmware that nobody meant for this device: forged, old, or another's.

use super::forge::{Key, Manifest, now, seal};
use super::heist::{Heist, RELEASE, SERVER, THIEF, image_of, manifest};

#[tokio::test(flavor = "multi_thread")]
async fn an_arbitrary_install_is_not_of_a_release_key() {
    let mut heist = Heist::begin().await;
    for key in [THIEF, SERVER] {
        heist.put_up(&manifest("1.0.6", 6), &Key::new(key));
        assert_eq!(heist.wish("1.0.6").await, "failed manifest_untrusted, runs 1.0.4");
    }
    // A signature that the server key may make, over something else than it may say.
    let disguised = seal("timestamp", Vec::new(), &Key::new(SERVER));
    heist.rig.serve("1.0.6.manifest", disguised);
    assert_eq!(heist.wish("1.0.6").await, "failed manifest_invalid, runs 1.0.4");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_the_thief_is_foreign() {
    let mut heist = Heist::begin().await;
    let (thief, number) = (&Key::new(THIEF), 2);
    for signer in [THIEF, SERVER, RELEASE] {
        let root = super::forge::Root {
            number,
            root: thief,
            release: &[thief],
            server: None,
            expires_at: None,
            revoked: &[],
        };
        heist.rig.serve("root/2", root.sign(&Key::new(signer)));
        heist.put_up(&manifest("1.0.6", 6), thief);
        assert_eq!(heist.wish("1.0.6").await, "failed root_foreign, runs 1.0.4");
    }
    heist.rig.web.files.lock().unwrap().documents.remove("root/2");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_an_older_sequence() {
    let mut heist = Heist::begin().await;
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    // The release of before, as its publisher signed it.
    assert_eq!(heist.wish("1.0.5").await, "failed sequence_older, runs 1.0.6");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_that_was_closed_is_an_older_security_counter() {
    let mut heist = Heist::begin().await;
    let closing = Manifest { security_counter: 3, ..manifest("1.0.6", 6) };
    heist.put_up(&closing, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    let opening = Manifest { security_counter: 2, ..manifest("1.0.7", 7) };
    heist.put_up(&opening, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.7").await, "failed security_counter_older, runs 1.0.6");
    heist.put_up(&Manifest { security_counter: 3, ..manifest("1.0.8", 8) }, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.8").await, "confirmed, runs 1.0.8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_up_manifest_names_another_version() {
    let mut heist = Heist::begin().await;
    // 1.0.5 is signed and so is 1.0.6; one is served under the other's name.
    heist.rig.serve("1.0.6.manifest", manifest("1.0.5", 5).sign(&Key::new(RELEASE)));
    assert_eq!(heist.wish("1.0.6").await, "failed wrong_version, runs 1.0.4");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_up_image_is_not_what_was_signed() {
    let mut heist = Heist::begin().await;
    let images = &heist.rig.web.files;
    images.lock().unwrap().images.insert("1.0.5".into(), image_of("1.0.6").into());
    assert_eq!(heist.wish("1.0.5").await, "failed image_corrupt, runs 1.0.4");
    heist.takes_the_next_release().await;
}

/// Whatever a patch makes of the image that runs, it is checked as what came in full is.
#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_by_other_bytes_is_not_what_was_signed() {
    let mut heist = Heist::begin().await;
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.put_up(&manifest("1.0.7", 7), &Key::new(RELEASE));
    let images = &heist.rig.web.files;
    images.lock().unwrap().images.insert("1.0.7".into(), image_of("1.0.4").into());
    assert_eq!(heist.wish("1.0.7").await, "failed image_corrupt, runs 1.0.6");
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_of_another_revision_is_told_apart() {
    let mut heist = Heist::begin_with(|options| options.chip_revision = Some(3)).await;
    for revisions in [(4, 99), (0, 2)] {
        let other = Manifest { revisions: Some(revisions), ..manifest("1.0.6", 6) };
        heist.put_up(&other, &Key::new(RELEASE));
        assert_eq!(heist.wish("1.0.6").await, "failed wrong_revision, runs 1.0.4");
    }
    heist.put_up(&Manifest { revisions: Some((3, 3)), ..manifest("1.0.6", 6) }, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "confirmed, runs 1.0.6");
    heist.takes_the_next_release().await;
}

/// Half of what was meant to come together.
#[tokio::test(flavor = "multi_thread")]
async fn firmware_that_needs_what_is_not_there_is_told_apart() {
    let mut heist = Heist::begin().await;
    for needs in [("radio", 1), ("clock", 5)] {
        let half = Manifest { needs: Some(needs), ..manifest("1.0.6", 6) };
        heist.put_up(&half, &Key::new(RELEASE));
        assert_eq!(heist.wish("1.0.6").await, "failed dependency_missing, runs 1.0.4");
    }
    heist.takes_the_next_release().await;
}

/// Kept back until it was too old, or signed under a root that nobody stands for any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_told_apart() {
    let mut heist = Heist::begin().await;
    let late = Manifest { expires_at: Some(now() - 1), ..manifest("1.0.6", 6) };
    heist.put_up(&late, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed manifest_expired, runs 1.0.4");
    heist.serve_root_until(2, now() - 1);
    heist.put_up(&manifest("1.0.6", 6), &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed root_expired, runs 1.0.4");
    heist.serve_root_until(3, now() + 3600);
    heist.takes_the_next_release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_of_another_product_or_chip_is_told_apart() {
    let mut heist = Heist::begin().await;
    heist.put_up(&Manifest { product: "lamp", ..manifest("1.0.6", 6) }, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed wrong_product, runs 1.0.4");
    heist.put_up(&Manifest { chip: "esp32s3", ..manifest("1.0.6", 6) }, &Key::new(RELEASE));
    assert_eq!(heist.wish("1.0.6").await, "failed wrong_chip, runs 1.0.4");
    heist.takes_the_next_release().await;
}
