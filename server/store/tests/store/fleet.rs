//! Devices: who they belong to, and whether they are there.

use otaru_store::*;
use otaru_wire::Digest;

use super::Fixture;

on_both_engines! {
    a_claim_code_works_once
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
