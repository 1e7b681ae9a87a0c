//! Whose signatures count, and images that are being deleted.

use otaru_store::*;
use otaru_wire::Digest;

use super::{Fixture, keys, release, update_row};

on_both_engines! {
    what_a_revoked_key_signed_counts_for_nothing
    what_a_replaced_key_signed_counts_and_is_not_offered
    a_release_takes_the_place_of_another
    who_signed_is_filled_in
    updates_to_what_devices_refuse_are_found
    a_deletion_is_told_from_the_one_before
}

/// The highest sequence number that there is.
const HIGHEST: u64 = (1 << 53) - 1;

fn signed_by(signer: &str, trust: Trust, release: ReleaseRow) -> ReleaseRow {
    ReleaseRow { signer: Some(signer.to_owned()), trust, ..release }
}

async fn what_a_revoked_key_signed_counts_for_nothing(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let product = "clock".parse().unwrap();
        let good = ReleaseRow { security_counter: Some(3), ..release("1.0.4", 4) };
        let stolen = signed_by("stolen", Trust::Revoked, release("6.6.6", HIGHEST));
        let next = signed_by("stolen", Trust::Revoked, release("6.6.7", 5));
        insert_release(tx, &scope, &good, b"four")?;
        insert_release(tx, &scope, &stolen, b"six")?;
        insert_draft(tx, &scope, &ReleaseRow { is_draft: true, ..next.clone() }, b"six")?;
        assert_eq!(last_sequence(tx, &scope, &product, None)?, 4);
        assert_eq!(last_published(tx, &scope, &product, None)?, 4);
        assert_eq!(last_published(tx, &scope, &product, Some("stable"))?, 4);
        assert_eq!(last_published(tx, &scope, &product, Some("beta"))?, 0);
        assert_eq!(last_sequence(tx, &scope, &product, Some(&good.version))?, 0);
        assert_eq!(security_floor(tx, &scope, &product)?, 3);
        assert_eq!(last_release(tx, &scope, &product)?, Some(good.clone()));
        assert_eq!(newest_release(tx, &scope, &product, "stable")?, Some(good.clone()));
        // Its numbers are in use all the same.
        assert!(is_sequence_taken(tx, &scope, &product, HIGHEST, &good.version)?);
        assert!(!is_sequence_taken(tx, &scope, &product, HIGHEST, &stolen.version)?);
        assert_eq!(free_sequence(tx, &scope, &product, 4, None)?, 6);
        assert_eq!(free_sequence(tx, &scope, &product, 4, Some(&next.version))?, 5);
        assert_eq!(free_sequence(tx, &scope, &product, 0, None)?, 1);
        let shown = otaru_store::release(tx, &scope, &product, &stolen.version)?;
        assert_eq!(shown.as_ref().map(ReleaseRow::rank), Some(0));
        assert_eq!(shown, Some(stolen.clone()));
        // Of the same image, what devices take comes first.
        let again = ReleaseRow { sha256: stolen.sha256, ..release("1.0.5", 6) };
        insert_release(tx, &scope, &again, b"again")?;
        assert_eq!(release_by_image(tx, &scope, &product, &stolen.sha256)?, Some(again));
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn what_a_replaced_key_signed_counts_and_is_not_offered(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let product = "clock".parse().unwrap();
        insert_release(tx, &scope, &release("1.0.4", 4), b"four")?;
        assert_eq!(newest_release(tx, &scope, &product, "stable")?, Some(release("1.0.4", 4)));
        let [_, revoked] = keys();
        let system = SystemScope::for_background();
        set_signing_keys(tx, &system, &product, &[revoked.clone(), revoked])?;
        assert_eq!(newest_release(tx, &scope, &product, "stable")?, None);
        let shown = otaru_store::release(tx, &scope, &product, &"1.0.4".parse().unwrap())?.unwrap();
        assert_eq!((shown.trust, shown.rank()), (Trust::Retired, 4));
        assert_eq!(last_sequence(tx, &scope, &product, None)?, 4);
        assert_eq!(security_floor(tx, &scope, &product)?, u32::MAX);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn a_release_takes_the_place_of_another(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let product = "clock".parse().unwrap();
        let old = signed_by("stolen", Trust::Revoked, release("1.0.4", 4));
        insert_release(tx, &scope, &old, b"old")?;
        set_tell_after(tx, &scope, &product, &old.version, None)?;
        assert_eq!(untold_releases(tx, &SystemScope::for_background())?, []);
        let new = ReleaseRow { channel: "beta".to_owned(), created_at: 7, ..release("1.0.4", 9) };
        replace_release(tx, &scope, &new, b"new")?;
        assert_eq!(otaru_store::release(tx, &scope, &product, &new.version)?, Some(new.clone()));
        let manifest = release_manifest(tx, &scope, &product, &new.version)?;
        assert_eq!(manifest.as_deref(), Some(b"new".as_slice()));
        assert_eq!(untold_releases(tx, &SystemScope::for_background())?.len(), 1);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn who_signed_is_filled_in(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let (product, system) = ("clock".parse().unwrap(), SystemScope::for_background());
        let nobody = |release: ReleaseRow| ReleaseRow { signer: None, ..release };
        insert_release(tx, &scope, &nobody(release("1.0.4", 4)), b"four")?;
        insert_draft(tx, &scope, &nobody(release("1.0.5", 5)), b"five")?;
        insert_release(tx, &scope, &release("1.0.6", 6), b"six")?;
        let mut unread = unread_manifests(tx, &system, 9)?;
        unread.sort_by_key(|unread| unread.version.to_string());
        let manifests: Vec<_> = unread.iter().map(|unread| &unread.manifest[..]).collect();
        assert_eq!(manifests, [b"four", b"five"]);
        for unread in &unread {
            set_signer(tx, &scope, &product, &unread.version, "good")?;
        }
        assert_eq!(unread_manifests(tx, &system, 9)?, []);
        let newest = newest_release(tx, &scope, &product, "stable")?;
        assert_eq!(newest, Some(release("1.0.6", 6)));
        assert_eq!(newest_root_of_each(tx, &system)?, [(product, b"root one".to_vec())]);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn updates_to_what_devices_refuse_are_found(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let (product, system) = ("clock".parse().unwrap(), SystemScope::for_background());
        insert_release(tx, &scope, &release("1.0.5", 5), b"five")?;
        insert_update(tx, &scope, &update_row(&scope, "up-1"), None)?;
        assert_eq!(hopeless_updates(tx, &system)?, []);
        let mut reason = |keys: &[SigningKeyRow]| {
            set_signing_keys(tx, &system, &product, keys).unwrap();
            hopeless_updates(tx, &system).unwrap()[0].reason.name()
        };
        assert_eq!(reason(&[]), "manifest_untrusted");
        let is_revoked = true;
        let revoked = SigningKeyRow { key_id: "good".to_owned(), is_revoked };
        assert_eq!(reason(&[revoked]), "key_revoked");
        yank_release(tx, &scope, &product, &"1.0.5".parse().unwrap(), None, 9)?;
        assert_eq!(hopeless_updates(tx, &system)?[0].reason.name(), "release_yanked");
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn a_deletion_is_told_from_the_one_before(fixture: Fixture) {
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let (system, image) = (SystemScope::for_background(), Digest::of(b"image"));
        assert_eq!(image_deletion(tx, &system, &image)?, None);
        let first = begin_image_deletion(tx, &system, &image, 5)?;
        let begun = ImageDeletionRow { number: first, begun_at: 5, ended_at: None };
        assert_eq!(image_deletion(tx, &system, &image)?, Some(begun));
        assert_eq!(unfinished_image_deletions(tx, &system, 5)?, []);
        assert_eq!(unfinished_image_deletions(tx, &system, 6)?, [image]);
        let second = begin_image_deletion(tx, &system, &image, 5)?;
        assert!(second > first);
        // The first one's late end is not the second's.
        end_image_deletion(tx, &system, &image, first, 7)?;
        assert_eq!(unfinished_image_deletions(tx, &system, 6)?, [image]);
        end_image_deletion(tx, &system, &image, second, 8)?;
        assert_eq!(unfinished_image_deletions(tx, &system, 6)?, []);
        let ended = image_deletion(tx, &system, &image)?.unwrap();
        assert_eq!((ended.number, ended.ended_at), (second, Some(8)));
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}
