//! Devices: who they belong to, whether they are there, and which are looked for.

use otaru_fleet::Running;
use otaru_store::*;
use otaru_wire::Digest;

use super::{Fixture, clock};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

on_both_engines! {
    a_claim_code_works_once
    devices_are_found_by_all_that_is_asked
    devices_are_found_by_the_end_of_their_certificate
    only_the_newest_session_can_end
    a_clock_set_back_keeps_no_device_offline
}

async fn only_the_newest_session_can_end(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let thing = "clock-01".parse().unwrap();
            assert!(open_device_session(tx, &scope, &thing, 5, 10)?);
            assert!(open_device_session(tx, &scope, &thing, 6, 11)?);
            assert!(!close_device_session(tx, &scope, &thing, 5, 12)?, "a late goodbye");
            assert!(device(tx, &scope, &thing)?.unwrap().online);
            assert!(close_device_session(tx, &scope, &thing, 6, 13)?);
            assert!(!device(tx, &scope, &thing)?.unwrap().online);
            assert!(!open_device_session(tx, &scope, &thing, 6, 14)?, "a late hello");
            assert!(open_device_session(tx, &scope, &thing, 7, 15)?);
            let closed = close_all_sessions(tx, &SystemScope::for_background(), 16)?;
            assert_eq!(closed.iter().map(|device| &device.thing).collect::<Vec<_>>(), [&thing]);
            assert!(!device(tx, &scope, &thing)?.unwrap().online);
            assert_eq!(close_all_sessions(tx, &SystemScope::for_background(), 17)?, []);
            assert!(!open_device_session(tx, &scope, &thing, 7, 18)?, "of before the start");
            Ok(())
        })
        .await
        .unwrap();
}

async fn a_clock_set_back_keeps_no_device_offline(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let thing = "clock-01".parse().unwrap();
            assert!(open_device_session(tx, &scope, &thing, 9_000, 9_000)?);
            close_all_sessions(tx, &SystemScope::for_background(), 5_000)?;
            assert!(open_device_session(tx, &scope, &thing, 5_001, 5_001)?);
            Ok(())
        })
        .await
        .unwrap();
}

async fn a_claim_code_works_once(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let thing = "clock-01".parse().unwrap();
            let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
            insert_claim_code(tx, &scope, &thing, &old, 1)?;
            insert_claim_code(tx, &scope, &thing, &new, 2)?;
            assert_eq!(use_claim_code(tx, &scope, &old, 3)?, None);
            assert_eq!(use_claim_code(tx, &scope, &new, 3)?.unwrap().thing, thing);
            assert_eq!(use_claim_code(tx, &scope, &new, 4)?, None);
            Ok(())
        })
        .await
        .unwrap();
}

async fn devices_are_found_by_all_that_is_asked(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let lamp = ProductRow { name: "lamp".parse().unwrap(), ..clock(&scope) };
        insert_product(tx, &scope, &lamp)?;
        let add = |tx: &mut Tx<'_>, thing: &str, product: &str| {
            insert_device(tx, &scope, &thing.parse().unwrap(), &product.parse().unwrap(), 5)
        };
        for thing in ["clock-02", "Clock-03", "clock_04"] {
            add(tx, thing, "clock")?;
        }
        add(tx, "lamp-02", "lamp")?;
        for thing in ["clock-02", "lamp-02"] {
            open_device_session(tx, &scope, &thing.parse().unwrap(), 1, 9)?;
        }
        for (thing, version) in [("clock-01", "1.0.4"), ("clock-02", "1.0.4"), ("lamp-02", "2.0")] {
            let running = Running { version: Some(version.to_owned()), ..Running::default() };
            set_device_running(tx, &scope, &thing.parse().unwrap(), &running, None, false)?;
        }
        let mut check = |filter: DeviceFilter, after: &str, limit, expected: &[&str]| {
            let found = devices(tx, &scope, &filter, 9, after, limit).unwrap();
            let mut found: Vec<_> = found.iter().map(|device| device.thing.as_str()).collect();
            // Each engine has its own order of capital letters.
            found.sort_unstable();
            assert_eq!(found, expected, "{filter:?}");
        };
        let all = DeviceFilter::default;
        let text = |text: &str| DeviceFilter { text: Some(text.to_owned()), ..all() };
        let product = |name: &str| DeviceFilter { product: Some(name.parse().unwrap()), ..all() };
        let version = |name: &str| DeviceFilter { version: Some(name.to_owned()), ..all() };
        let online = |online| DeviceFilter { online: Some(online), ..all() };
        check(all(), "", 9, &["Clock-03", "clock-01", "clock-02", "clock_04", "lamp-02"]);
        check(text("CLOCK-0"), "", 9, &["Clock-03", "clock-01", "clock-02"]);
        check(text("_"), "", 9, &["clock_04"]);
        for nowhere in ["%", "!", "clock-1", "時計"] {
            check(text(nowhere), "", 9, &[]);
        }
        check(online(true), "", 9, &["clock-02", "lamp-02"]);
        check(online(false), "", 9, &["Clock-03", "clock-01", "clock_04"]);
        check(product("lamp"), "", 9, &["lamp-02"]);
        check(version("1.0.4"), "", 9, &["clock-01", "clock-02"]);
        check(version("1.0.4"), "clock-01", 9, &["clock-02"]);
        check(version("1.0.4"), "", 1, &["clock-01"]);
        check(version("1.0"), "", 9, &[]);
        check(DeviceFilter { online: Some(true), ..version("1.0.4") }, "", 9, &["clock-02"]);
        check(DeviceFilter { online: Some(true), ..product("clock") }, "", 9, &["clock-02"]);
        check(
            DeviceFilter { product: Some("lamp".parse().unwrap()), ..version("1.0.4") },
            "",
            9,
            &[],
        );
        let every =
            DeviceFilter { online: Some(true), version: Some("2.0".to_owned()), ..product("lamp") };
        check(DeviceFilter { text: Some("02".to_owned()), ..every.clone() }, "", 9, &["lamp-02"]);
        check(DeviceFilter { text: Some("03".to_owned()), ..every }, "", 9, &[]);
        let foreign = Scope::of("org-2".parse().unwrap());
        assert_eq!(devices(tx, &foreign, &online(true), 9, "", 9)?, []);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn devices_are_found_by_the_end_of_their_certificate(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let system = SystemScope::for_background();
        let now = 100 * DAY_MS;
        for (thing, ends_at) in [
            ("clock-02", now - 1),
            ("clock-03", now + 30 * DAY_MS),
            ("clock-04", now + 30 * DAY_MS + 1),
        ] {
            let thing = thing.parse().unwrap();
            insert_device(tx, &scope, &thing, &"clock".parse().unwrap(), 5)?;
            let certificate =
                CertificateName { issuer: "ca".to_owned(), serial: thing.to_string() };
            insert_certificate(tx, &scope, &certificate, &thing, 5)?;
            let said = CertificateSaid { not_after: ends_at, key_sha256: None };
            set_certificate_said(tx, &scope, &certificate, &thing, said)?;
            set_certificate_end(tx, &scope, &thing)?;
        }
        let mut found = |within: u32, filter: DeviceFilter, scope: &Scope| {
            let filter = DeviceFilter { certificate_ends_within_days: Some(within), ..filter };
            let found = devices(tx, scope, &filter, now, "", 9).unwrap();
            found.iter().map(|device| device.thing.to_string()).collect::<Vec<_>>().join(" ")
        };
        let all = DeviceFilter::default;
        let text = |text: &str| DeviceFilter { text: Some(text.to_owned()), ..all() };
        assert_eq!(found(0, all(), &scope), "clock-02");
        assert_eq!(found(30, all(), &scope), "clock-02 clock-03");
        assert_eq!(found(31, all(), &scope), "clock-02 clock-03 clock-04");
        assert_eq!(found(u32::MAX, all(), &scope), "clock-02 clock-03 clock-04", "one has none");
        assert_eq!(found(30, text("03"), &scope), "clock-03");
        assert_eq!(found(30, DeviceFilter { online: Some(true), ..all() }, &scope), "");
        assert_eq!(found(30, all(), &Scope::of("org-2".parse().unwrap())), "");

        let mut count = |after, until| count_certificate_ends(tx, &system, after, until).unwrap();
        assert_eq!((count(0, now), count(now, now + 30 * DAY_MS)), (1, 1));
        decommission_device(tx, &scope, &"clock-03".parse().unwrap(), None, now)?;
        assert_eq!(count_certificate_ends(tx, &system, now, now + 30 * DAY_MS)?, 0);
        Ok(())
    };
    fixture.store.write(work).await.unwrap();
}
