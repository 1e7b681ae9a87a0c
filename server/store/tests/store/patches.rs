//! Patches, and who makes them until when.

use otaru_store::*;
use otaru_wire::Digest;

use super::{Fixture, release};

on_both_engines! {
    work_is_taken_by_one_and_taken_over_when_its_lease_is_over
    the_packed_image_comes_first_and_the_others_by_place
    work_ends_ready_skipped_or_waiting
    the_most_used_images_of_older_releases_are_patched
    a_patch_is_served_to_who_has_both_images
    what_nobody_can_use_is_forgotten
}

const SYSTEM: fn() -> SystemScope = SystemScope::for_background;

/// The patch from one version's image to another's.
fn key(base: &str, target: &str) -> PatchKey {
    let base = Some(base).filter(|base| !base.is_empty());
    PatchKey {
        base: base.map(|base| Digest::of(base.as_bytes())),
        target: Digest::of(target.as_bytes()),
        codec: 1,
    }
}

fn ready(bytes: &[u8]) -> PatchEnd {
    PatchEnd::Ready { sha256: Digest::of(bytes), size_bytes: bytes.len() as u64, took_ms: 7 }
}

/// Takes what is next, whatever it is.
fn take(tx: &mut Tx<'_>, owner: &str, now: i64) -> Option<PatchKey> {
    let row = next_patch(tx, &SYSTEM(), now).unwrap()?;
    assert!(take_patch(tx, &SYSTEM(), &row, owner, now + 100).unwrap());
    Some(row.key)
}

async fn work_is_taken_by_one_and_taken_over_when_its_lease_is_over(fixture: Fixture) {
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let (system, key) = (SYSTEM(), key("1.0.4", "1.0.5"));
        assert!(insert_patch(tx, &system, &key, 1, 10)?);
        assert!(!insert_patch(tx, &system, &key, 3, 11)?, "it was wanted before");
        let found = next_patch(tx, &system, 10)?.unwrap();
        assert_eq!((found.key, found.place, found.state), (key, 1, PatchState::Waiting));
        assert!(take_patch(tx, &system, &found, "one", 110)?);
        assert!(!take_patch(tx, &system, &found, "two", 110)?, "one was faster");
        assert_eq!(next_patch(tx, &system, 109)?, None);
        assert!(keep_patch(tx, &system, &key, "one", 150)?);
        assert!(!keep_patch(tx, &system, &key, "two", 900)?);
        assert_eq!(next_patch(tx, &system, 149)?, None);

        let late = next_patch(tx, &system, 150)?.unwrap();
        assert_eq!((late.state, late.attempts), (PatchState::Running, 1));
        assert!(take_patch(tx, &system, &late, "two", 250)?);
        // Whoever lost it changes nothing any more.
        assert!(!keep_patch(tx, &system, &key, "one", 900)?);
        assert!(!end_patch(tx, &system, &key, "one", &ready(b"of one"), 160)?);
        assert!(end_patch(tx, &system, &key, "two", &ready(b"of two"), 170)?);
        let row = patch(tx, &system, &key)?.unwrap();
        assert_eq!((row.state, row.attempts, row.made_at), (PatchState::Ready, 2, Some(170)));
        assert_eq!(row.sha256, Some(Digest::of(b"of two")));
        assert_eq!((row.size_bytes, row.took_ms), (Some(6), Some(7)));
        assert_eq!(next_patch(tx, &system, i64::MAX)?, None);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn the_packed_image_comes_first_and_the_others_by_place(fixture: Fixture) {
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let system = SYSTEM();
        for (base, place) in [("1.0.3", 2), ("1.0.4", 1), ("", 0)] {
            insert_patch(tx, &system, &key(base, "1.0.5"), place, 10)?;
        }
        insert_patch(tx, &system, &PatchKey { codec: 2, ..key("1.0.4", "1.0.5") }, 1, 11)?;
        assert_eq!(count_patch_bases(tx, &system, &key("", "1.0.5").target, 1)?, 2);
        assert_eq!(take(tx, "one", 20), Some(key("", "1.0.5")));
        // Of the other codec there is no packed image to wait for.
        assert_eq!(take(tx, "two", 20).map(|key| key.codec), Some(2));
        assert_eq!(take(tx, "two", 20), None, "they are held against the packed image");
        end_patch(tx, &system, &key("", "1.0.5"), "one", &ready(b"packed"), 21)?;
        assert_eq!(take(tx, "one", 21), Some(key("1.0.4", "1.0.5")));
        assert_eq!(take(tx, "one", 21), Some(key("1.0.3", "1.0.5")));
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn work_ends_ready_skipped_or_waiting(fixture: Fixture) {
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let (system, key) = (SYSTEM(), key("1.0.4", "1.0.5"));
        insert_patch(tx, &system, &key, 1, 10)?;
        let wait = |reason, detail: Option<&str>, due_at| PatchEnd::Waiting {
            due_at,
            reason,
            detail: detail.map(str::to_owned),
        };
        take(tx, "one", 10);
        let full = wait(PatchReason::StorageFull, None, 500);
        assert!(end_patch(tx, &system, &key, "one", &full, 20)?);
        assert_eq!(next_patch(tx, &system, 499)?, None);
        let row = patch(tx, &system, &key)?.unwrap();
        assert_eq!((row.state, row.attempts, row.waits), (PatchState::Waiting, 0, 1));
        assert_eq!(row.reason, Some(PatchReason::StorageFull));

        take(tx, "one", 500);
        let row = patch(tx, &system, &key)?.unwrap();
        assert_eq!((row.reason, row.attempts), (None, 1), "it is under way");
        let failed = wait(PatchReason::Failed, Some("the store is away"), 700);
        end_patch(tx, &system, &key, "one", &failed, 510)?;
        let row = patch(tx, &system, &key)?.unwrap();
        assert_eq!((row.attempts, row.waits, row.due_at), (0, 2, 700));
        assert_eq!(row.detail.as_deref(), Some("the store is away"));

        take(tx, "one", 700);
        let skipped = PatchEnd::Skipped {
            reason: PatchReason::TooLarge,
            detail: None,
            size_bytes: Some(900),
        };
        end_patch(tx, &system, &key, "one", &skipped, 710)?;
        let row = patch(tx, &system, &key)?.unwrap();
        assert_eq!((row.state, row.reason), (PatchState::Skipped, Some(PatchReason::TooLarge)));
        assert_eq!((row.size_bytes, row.sha256), (Some(900), None));
        assert_eq!(next_patch(tx, &system, i64::MAX)?, None);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn the_most_used_images_of_older_releases_are_patched(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let product = "clock".parse().unwrap();
        for (version, sequence) in [("1.0.2", 2), ("1.0.3", 3), ("1.0.4", 4), ("1.0.6", 6)] {
            insert_release(tx, &scope, &release(version, sequence), b"signed")?;
        }
        // Two run 1.0.3, one 1.0.4, three 1.0.2 on another channel; the rest is of no use.
        let running = [
            ("1.0.3", "stable"),
            ("1.0.4", "stable"),
            ("1.0.3", "stable"),
            ("1.0.2", "beta"),
            ("1.0.2", "beta"),
            ("1.0.2", "beta"),
            ("1.0.5", "stable"),
            ("1.0.6", "stable"),
            ("by cable", "stable"),
        ];
        for (number, (version, channel)) in running.iter().enumerate() {
            let thing = format!("clock-1{number}").parse().unwrap();
            insert_device(tx, &scope, &thing, &product, 5)?;
            let running = otaru_fleet::Running {
                sha256: Some(Digest::of(version.as_bytes())),
                ..otaru_fleet::Running::default()
            };
            set_device_running(tx, &scope, &thing, &running, None, true)?;
            set_device_channel(tx, &scope, &thing, channel)?;
        }
        let target = release("1.0.5", 5);
        insert_release(tx, &scope, &target, b"signed")?;
        let images = |versions: &[&str]| {
            versions.iter().map(|version| Digest::of(version.as_bytes())).collect::<Vec<_>>()
        };
        assert_eq!(images_to_patch(tx, &scope, &target, 9)?, images(&["1.0.3", "1.0.4", "1.0.2"]));
        assert_eq!(images_to_patch(tx, &scope, &target, 1)?, images(&["1.0.3"]));
        let newest = newest_releases(tx, &SYSTEM())?;
        let organisation = scope.organisation().clone();
        assert_eq!(newest, [(organisation, product, "1.0.6".parse().unwrap())]);
        assert_eq!(offers_of_image(tx, &SYSTEM(), &release("1.0.6", 6).sha256)?, newest);
        set_image_deleted(tx, &scope, &release("1.0.4", 4), 9)?;
        assert_eq!(images_to_patch(tx, &scope, &target, 9)?, images(&["1.0.3", "1.0.2"]));
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

/// Makes a patch whose bytes are its base's version.
fn make(tx: &mut Tx<'_>, base: &str, target: &str) {
    let key = key(base, target);
    insert_patch(tx, &SYSTEM(), &key, u32::from(key.base.is_some()), 10).unwrap();
    let row = patch(tx, &SYSTEM(), &key).unwrap().unwrap();
    assert!(take_patch(tx, &SYSTEM(), &row, "one", 20).unwrap());
    assert!(end_patch(tx, &SYSTEM(), &key, "one", &ready(base.as_bytes()), 30).unwrap());
}

async fn a_patch_is_served_to_who_has_both_images(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let product = "clock".parse().unwrap();
        let target = release("1.0.5", 5);
        insert_release(tx, &scope, &release("1.0.4", 4), b"signed")?;
        insert_release(tx, &scope, &target, b"signed")?;
        make(tx, "1.0.4", "1.0.5");
        make(tx, "of another product", "1.0.5");
        let mut found = |base: &str| -> Vec<Digest> {
            let rows = ready_patches(tx, &scope, &product, &key(base, "1.0.5")).unwrap();
            rows.into_iter().map(|row| row.sha256.unwrap()).collect()
        };
        assert_eq!(found("1.0.4"), [Digest::of(b"1.0.4")]);
        assert_eq!(found("of another product"), []);
        assert_eq!(found("1.0.3"), []);
        make(tx, "", "1.0.5");
        let mut found = |base: &str| -> Vec<Digest> {
            let rows = ready_patches(tx, &scope, &product, &key(base, "1.0.5")).unwrap();
            rows.into_iter().map(|row| row.sha256.unwrap()).collect()
        };
        assert_eq!(found("1.0.4"), [Digest::of(b"1.0.4"), Digest::of(b"")]);
        assert_eq!(found("of another product"), [Digest::of(b"")]);
        assert_eq!(found(""), [Digest::of(b"")]);
        let shown = patches_of_release(tx, &scope, &target)?;
        let shown: Vec<_> = shown.into_iter().map(|row| row.key).collect();
        assert_eq!(shown, [key("", "1.0.5"), key("1.0.4", "1.0.5")]);

        // Its bytes are gone: it is made once more.
        let row = patch(tx, &SYSTEM(), &key("1.0.4", "1.0.5"))?.unwrap();
        remake_patch(tx, &SYSTEM(), &row, 40)?;
        assert_eq!(next_patch(tx, &SYSTEM(), 40)?.map(|row| row.key), Some(row.key));
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn what_nobody_can_use_is_forgotten(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let (product, system) = ("clock".parse().unwrap(), SYSTEM());
        for (version, sequence) in [("1.0.3", 3), ("1.0.4", 4), ("1.0.5", 5)] {
            insert_release(tx, &scope, &release(version, sequence), b"signed")?;
        }
        make(tx, "1.0.3", "1.0.5");
        make(tx, "1.0.4", "1.0.5");
        make(tx, "", "1.0.4");
        insert_patch(tx, &system, &key("1.0.3", "1.0.4"), 1, 10)?;
        assert_eq!(forget_useless_patches(tx, &system)?, []);
        // Its bytes are known as long as the patch is.
        let digest = Digest::of(b"1.0.3");
        set_image_deleted(tx, &scope, &release("1.0.3", 3), 9)?;
        assert!(is_image_known(tx, &system, &digest)?);
        assert!(is_image_of_another(tx, &system, &release("1.0.3", 3))?);
        assert_eq!(forget_useless_patches(tx, &system)?, [digest]);
        assert!(!is_image_known(tx, &system, &digest)?);
        assert_eq!(patch(tx, &system, &key("1.0.3", "1.0.4"))?, None);

        yank_release(tx, &scope, &product, &"1.0.4".parse().unwrap(), None, 9)?;
        assert_eq!(forget_useless_patches(tx, &system)?, [Digest::of(b"")]);
        // Devices that run what was withdrawn need a way away from it.
        assert!(patch(tx, &system, &key("1.0.4", "1.0.5"))?.is_some());
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}
