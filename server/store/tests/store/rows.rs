//! What is stored comes back, to whom it belongs.

use otaru_fleet::{Language, Limits, Role, Running};
use otaru_store::*;
use otaru_wire::{Digest, OrganisationId, ReleaseVersion, payload::FirmwareState};

use super::{Fixture, clock, new_user, release, update_row};

on_both_engines! {
    rows_come_back_as_they_were_stored
    another_organisation_sees_nothing
    a_taken_key_is_told_apart_from_other_failures
    a_nul_is_refused_before_the_database_is_asked
}

async fn rows_come_back_as_they_were_stored(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let user = UserRow {
                id: "u-1".to_owned(),
                organisation: scope.organisation().clone(),
                organisation_name: "default".to_owned(),
                email: "ada@example.org".to_owned(),
                role: Role::Owner,
                language: Some(Language::Japanese),
                firmware_version: None,
                phrase_type: Some("häiku ' ? $1 😀".to_owned()),
                created_at: 7,
            };
            insert_user(tx, &scope, &new_user("u-1", "ada@example.org", Role::Owner), 7)?;
            set_user_phrase_type(tx, &scope, "u-1", user.phrase_type.as_deref())?;
            set_user_language(tx, &scope, "u-1", user.language)?;
            assert_eq!(stored_user(tx, &scope)?, Some(user));
            let token = TokenRow {
                id: "t-1".to_owned(),
                organisation: scope.organisation().clone(),
                user_id: Some("u-1".to_owned()),
                role: Role::Owner,
                secret: TokenSecret::Sha256("00".to_owned()),
                things: None,
                created_at: 8,
                expires_at: Some(i64::MAX),
                revoked_at: None,
                label: Some("phone".to_owned()),
                last_used_at: None,
            };
            insert_token(tx, &scope, &token)?;
            touch_token(tx, &scope, "t-1", 9)?;
            let system = SystemScope::for_authentication();
            let used = TokenRow { last_used_at: Some(9), ..token };
            assert_eq!(token_by_id(tx, &system, "t-1")?, Some(used));
            let product = "clock".parse().unwrap();
            let limits = Limits { plain_ms: 5_000, ..Limits::default() };
            set_product_limits(tx, &scope, &product, &limits)?;
            assert_eq!(
                otaru_store::product(tx, &scope, &product)?,
                Some(ProductRow { limits, ..clock(&scope) })
            );
            assert_eq!(root_document(tx, &scope, &product, None)?, Some((1, b"root one".to_vec())));
            let update = update_row(&scope, "up-1");
            insert_update(tx, &scope, &update, Some(900))?;
            assert_eq!(newest_update(tx, &scope, &update.thing)?, Some(update.clone()));
            assert_eq!(
                updates(tx, &scope, Some(&update.thing), None, 5)?,
                std::slice::from_ref(&update)
            );
            assert_eq!(updates(tx, &scope, None, None, 5)?, [update]);
            let running = Running {
                sha256: Some(Digest::of(b"1.0.4")),
                version: Some("1.0.4".to_owned()),
                state: Some(FirmwareState::Trial),
            };
            let thing = "clock-01".parse().unwrap();
            set_device_running(tx, &scope, &thing, &running, Some("ota_1"), true)?;
            set_device_running(tx, &scope, &thing, &running, Some("ota_1"), false)?;
            let device = otaru_store::device(tx, &scope, &thing)?.unwrap();
            assert!(device.agent, "once an agent, always an agent");
            assert_eq!(device.running_state, Some(FirmwareState::Trial));
            assert_eq!(device.running_sha256, running.sha256);
            Ok(())
        })
        .await
        .unwrap();
}

async fn another_organisation_sees_nothing(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let id = OrganisationId::new("org-2").unwrap();
            let system = SystemScope::for_background();
            let foreign = Scope::of(ensure_organisation(tx, &system, &id, "foreign", 1)?);
            insert_release(tx, &scope, &release("1.0.5", 1), b"signed")?;
            insert_update(tx, &scope, &update_row(&scope, "up-1"), None)?;
            insert_event(tx, &scope, None, &[], "ours", "{}", 1)?;
            let (thing, product) = ("clock-01".parse().unwrap(), "clock".parse().unwrap());
            let version: ReleaseVersion = "1.0.5".parse().unwrap();
            insert_log(tx, &scope, &thing, "{}", 1)?;
            assert_eq!(device(tx, &foreign, &thing)?, None);
            assert_eq!(devices(tx, &foreign, &DeviceFilter::default(), 9, "", 10)?, []);
            assert_eq!(otaru_store::product(tx, &foreign, &product)?, None);
            assert_eq!(root_document(tx, &foreign, &product, None)?, None);
            assert!(root_document_anywhere(tx, &system, &product, Some(1))?.is_some());
            assert_eq!(last_event_id(tx, &foreign)?, 0);
            assert_eq!(otaru_store::release(tx, &foreign, &product, &version)?, None);
            assert_eq!(newest_update(tx, &foreign, &thing)?, None);
            assert_eq!(update(tx, &foreign, &"up-1".parse().unwrap())?, None);
            assert_eq!(events(tx, &foreign, None, 0, 10)?, []);
            assert_eq!(logs(tx, &foreign, &thing, 0, 10)?, []);
            assert!(!yank_release(tx, &foreign, &product, &version, None, 9)?);
            assert!(!set_device_owner(tx, &foreign, &thing, "u-2", 1)?);
            Ok(())
        })
        .await
        .unwrap();
}

async fn a_taken_key_is_told_apart_from_other_failures(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    let taken = fixture.store.write(move |tx| insert_product(tx, &scope, &clock(&scope))).await;
    assert!(matches!(taken, Err(StoreError::Duplicate(_))), "{taken:?}");
    let scope = fixture.scope.clone();
    let dangling = fixture
        .store
        .write(move |tx| {
            let (thing, product) = ("clock-02".parse().unwrap(), "unknown".parse().unwrap());
            insert_device(tx, &scope, &thing, &product, 1)
        })
        .await;
    assert!(matches!(dangling, Err(StoreError::Unavailable(_))), "{dangling:?}");
}

async fn a_nul_is_refused_before_the_database_is_asked(fixture: Fixture) {
    let scope = fixture.scope.clone();
    let looked = fixture.store.read(move |tx| user_by_email(tx, &scope, "a\0@b")).await;
    assert!(matches!(looked, Err(StoreError::NulInText)), "{looked:?}");
    let scope = fixture.scope.clone();
    let thing = "clock-01".parse().unwrap();
    let stored = fixture.store.write(move |tx| insert_log(tx, &scope, &thing, "\0", 1)).await;
    assert!(matches!(stored, Err(StoreError::NulInText)), "{stored:?}");
}

fn stored_user(tx: &mut Tx<'_>, scope: &Scope) -> Result<Option<UserRow>, StoreError> {
    user_by_email(tx, scope, "ada@example.org")
}
