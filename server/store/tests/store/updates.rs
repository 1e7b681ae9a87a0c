//! Releases, and the updates to them.

use otaru_fleet::Update;
use otaru_store::*;
use otaru_wire::{Digest, Outcome, Phase, Reason};

use super::{Fixture, release, update_row};

on_both_engines! {
    releases_are_found_by_image_and_by_sequence
    drafts_are_listed_and_are_no_releases
    an_image_is_held_by_releases_drafts_and_devices
    uploads_grow_from_where_they_are
    updates_past_their_deadline_are_found
    updates_are_listed_newest_first
    of_many_phases_the_first_and_the_newest_are_kept
}

async fn releases_are_found_by_image_and_by_sequence(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let product = "clock".parse().unwrap();
            assert_eq!(last_sequence(tx, &scope, &product, None)?, 0);
            insert_release(tx, &scope, &release("1.0.4", 3), b"four")?;
            insert_release(tx, &scope, &release("1.0.5", 8), b"five")?;
            assert_eq!(last_sequence(tx, &scope, &product, None)?, 8);
            let found = release_by_image(tx, &scope, &product, &Digest::of(b"1.0.4"))?;
            assert_eq!(found, Some(release("1.0.4", 3)));
            let newest = newest_release(tx, &scope, &product, "stable")?.unwrap();
            assert_eq!(newest.version.as_str(), "1.0.5");
            assert!(yank_release(tx, &scope, &product, &newest.version, None, 9)?);
            assert!(!yank_release(tx, &scope, &product, &newest.version, None, 10)?);
            let newest = newest_release(tx, &scope, &product, "stable")?.unwrap();
            assert_eq!(newest.version.as_str(), "1.0.4");
            let manifest = release_manifest(tx, &scope, &product, &newest.version)?;
            assert_eq!(manifest.as_deref(), Some(b"four".as_slice()));
            let page = releases(tx, &scope, &product, 8, 10)?;
            assert_eq!(page, [release("1.0.4", 3)]);
            Ok(())
        })
        .await
        .unwrap();
}

async fn drafts_are_listed_and_are_no_releases(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let product = "clock".parse().unwrap();
            insert_release(tx, &scope, &release("1.0.4", 3), b"four")?;
            let wip = ReleaseRow { is_draft: true, ..release("1.0.5", 8) };
            insert_draft(tx, &scope, &wip, b"five")?;
            assert_eq!(last_sequence(tx, &scope, &product, None)?, 8);
            assert_eq!(draft(tx, &scope, &product, &wip.version)?, Some(wip.clone()));
            assert_eq!(otaru_store::release(tx, &scope, &product, &wip.version)?, None);
            assert_eq!(release_by_image(tx, &scope, &product, &wip.sha256)?, None);
            let newest = newest_release(tx, &scope, &product, "stable")?;
            assert_eq!(newest, Some(release("1.0.4", 3)));
            assert_eq!(last_release(tx, &scope, &product)?, newest);
            let listed = releases(tx, &scope, &product, 9, 10)?;
            assert_eq!(listed, [wip.clone(), release("1.0.4", 3)]);
            assert_eq!(releases(tx, &scope, &product, 9, 1)?, std::slice::from_ref(&wip));
            let manifest = draft_manifest(tx, &scope, &product, &wip.version)?;
            assert_eq!(manifest.as_deref(), Some(b"five".as_slice()));
            delete_draft(tx, &scope, &product, &wip.version)?;
            assert_eq!(draft(tx, &scope, &product, &wip.version)?, None);
            assert_eq!(security_floor(tx, &scope, &product)?, u32::MAX);
            Ok(())
        })
        .await
        .unwrap();
}

async fn an_image_is_held_by_releases_drafts_and_devices(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let system = SystemScope::for_background();
            let first = release("1.0.4", 3);
            insert_release(tx, &scope, &first, b"four")?;
            assert!(!is_image_of_another(tx, &system, &first)?);
            assert_eq!(things_with_image(tx, &scope, &first, 5)?, [] as [&str; 0]);
            let same = ReleaseRow { sha256: first.sha256, ..release("1.0.5", 8) };
            insert_draft(tx, &scope, &same, b"five")?;
            assert!(is_image_of_another(tx, &system, &first)?);
            delete_draft(tx, &scope, &same.product, &same.version)?;
            insert_release(tx, &scope, &same, b"five")?;
            assert!(is_image_of_another(tx, &system, &first)?);
            set_image_deleted(tx, &scope, &same, 9)?;
            assert!(!is_image_of_another(tx, &system, &first)?);
            let on_its_way = update_row(&scope, "up-1");
            insert_update(tx, &scope, &on_its_way, None)?;
            let wanted = ReleaseRow { sha256: on_its_way.update.sha256, ..first };
            assert_eq!(things_with_image(tx, &scope, &wanted, 5)?, ["clock-01"]);
            assert_eq!(devices_running(tx, &scope, &wanted, "", 5)?, []);
            // A device that names its version alone runs the release of that name.
            let thing = "clock-01".parse().unwrap();
            assert_eq!(things_with_image(tx, &scope, &same, 5)?, [] as [&str; 0]);
            let version = Some("1.0.5".to_owned());
            let running = otaru_fleet::Running { version, ..Default::default() };
            set_device_running(tx, &scope, &thing, &running, None, false)?;
            assert_eq!(things_with_image(tx, &scope, &same, 5)?, ["clock-01"]);
            assert_eq!(devices_running(tx, &scope, &same, "", 5)?.len(), 1);
            let sha256 = Some(Digest::of(b"four"));
            insert_release(
                tx,
                &scope,
                &ReleaseRow { sha256: Digest::of(b"four"), ..release("4", 9) },
                b"four",
            )?;
            let running = otaru_fleet::Running { sha256, ..running };
            set_device_running(tx, &scope, &thing, &running, None, false)?;
            assert_eq!(things_with_image(tx, &scope, &same, 5)?, [] as [&str; 0]);
            assert_eq!(otaru_store::device(tx, &scope, &thing)?.unwrap().channel, "stable");
            set_device_channel(tx, &scope, &thing, "beta")?;
            assert_eq!(otaru_store::device(tx, &scope, &thing)?.unwrap().channel, "beta");
            Ok(())
        })
        .await
        .unwrap();
}

async fn uploads_grow_from_where_they_are(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let digest = Digest::of(b"image");
            insert_upload(tx, &scope, "one", 100, Some(&digest), 5)?;
            assert!(grow_upload(tx, &scope, "one", 0, 40, 6)?);
            assert!(!grow_upload(tx, &scope, "one", 0, 50, 7)?);
            let found = upload_of_image(tx, &scope, &digest, 100)?.unwrap();
            assert_eq!((found.id.as_str(), found.received_bytes, found.touched_at), ("one", 40, 6));
            assert_eq!(upload_of_image(tx, &scope, &digest, 101)?, None);
            assert_eq!(count_uploads(tx, &scope)?, 1);
            let system = SystemScope::for_background();
            assert_eq!(idle_uploads(tx, &system, 6, 9)?, []);
            assert_eq!(idle_uploads(tx, &system, 7, 9)?, [found]);
            assert!(is_upload_known(tx, &system, "one")?);
            assert!(delete_upload(tx, &scope, "one")?);
            assert!(!is_upload_known(tx, &system, "one")?);
            assert!(!delete_upload(tx, &scope, "one")?);
            put_sbom(tx, &scope, &digest, b"{}", 1)?;
            put_sbom(tx, &scope, &digest, b"{}", 2)?;
            assert_eq!(sbom(tx, &scope, &digest)?.as_deref(), Some(b"{}".as_slice()));
            Ok(())
        })
        .await
        .unwrap();
}

async fn updates_past_their_deadline_are_found(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let system = SystemScope::for_background();
            insert_update(tx, &scope, &update_row(&scope, "late"), Some(500))?;
            insert_update(tx, &scope, &update_row(&scope, "early"), Some(400))?;
            insert_update(tx, &scope, &update_row(&scope, "patient"), None)?;
            let due = |tx: &mut Tx<'_>, now| -> Result<Vec<String>, StoreError> {
                let rows = updates_past_deadline(tx, &system, now, 10)?;
                Ok(rows.into_iter().map(|row| row.update.id.to_string()).collect())
            };
            assert_eq!(due(tx, 399)?, [] as [&str; 0]);
            assert_eq!(due(tx, 500)?, ["early", "late"]);
            put_update(tx, &scope, &update_row(&scope, "early").update, None)?;
            assert_eq!(due(tx, 500)?, ["late"]);
            assert_eq!(updates_with_deadline(tx, &system)?.len(), 1);
            Ok(())
        })
        .await
        .unwrap();
}

async fn updates_are_listed_newest_first(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            for id in ["0193-a", "0193-b", "0193-c"] {
                insert_update(tx, &scope, &update_row(&scope, id), None)?;
            }
            let thing = "clock-01".parse().unwrap();
            let ids = |rows: Vec<UpdateRow>| -> Vec<String> {
                rows.into_iter().map(|row| row.update.id.to_string()).collect()
            };
            assert_eq!(ids(updates(tx, &scope, None, None, 2)?), ["0193-c", "0193-b"]);
            let rest = updates(tx, &scope, Some(&thing), Some("0193-b"), 2)?;
            assert_eq!(ids(rest), ["0193-a"]);
            Ok(())
        })
        .await
        .unwrap();
}

async fn of_many_phases_the_first_and_the_newest_are_kept(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let row = update_row(&scope, "up-1");
        insert_update(tx, &scope, &row, None)?;
        let other = update_row(&scope, "up-2");
        insert_update(tx, &scope, &other, None)?;
        insert_update_phase(tx, &scope, &other.update, 7)?;
        for attempt in 0..1_000 {
            let phase = if attempt % 2 == 0 { Phase::Waiting } else { Phase::Downloading };
            let reason = Some(Reason::Cancelled);
            let update = Update { phase, attempt, reason, ..row.update.clone() };
            insert_update_phase(tx, &scope, &update, i64::from(attempt) * 10)?;
        }
        let ended =
            Update { outcome: Some(Outcome::Vanished), attempt: 1_000, ..row.update.clone() };
        insert_update_phase(tx, &scope, &ended, 10_000)?;
        let kept = update_phases(tx, &scope, &row.update.id)?;
        let attempts: Vec<u32> = kept.iter().map(|kept| kept.attempt).collect();
        assert_eq!(attempts, (0..10).chain(961..=1_000).collect::<Vec<_>>());
        let first = UpdatePhaseRow {
            phase: Phase::Waiting,
            outcome: None,
            reason: Some(Reason::Cancelled),
            attempt: 0,
            at: 0,
        };
        assert_eq!(kept[0], first);
        assert_eq!(kept[49].outcome, Some(Outcome::Vanished));
        assert_eq!(update_phases(tx, &scope, &other.update.id)?.len(), 1);
        let foreign = Scope::of("org-2".parse().unwrap());
        assert_eq!(update_phases(tx, &foreign, &row.update.id)?, []);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}
