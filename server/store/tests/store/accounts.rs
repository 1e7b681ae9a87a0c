//! People, and what lets them in.

use otaru_fleet::Role;
use otaru_store::*;
use otaru_wire::{Digest, OrganisationId};

use super::{Fixture, Home, add_clock, new_user, update_row};

on_both_engines! {
    a_session_knows_the_role_its_person_has_now
    what_lets_a_person_in_is_listed_for_them_alone
    sessions_are_dropped_by_their_last_use_and_by_their_age
    an_invitation_replaces_the_older_one_and_ends
    a_reset_code_ends_and_is_used_up_with_all_others
    a_removed_person_leaves_devices_and_updates_behind
    administrators_are_counted_when_they_can_sign_in
    access_keys_are_found_among_tokens_while_they_work
    organisations_are_listed_by_name
    the_organisation_of_a_code_is_known_as_long_as_the_code_works
}

async fn with_ada(fixture: Fixture) -> Fixture {
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| insert_user(tx, &scope, &new_user("u-1", "ada@x", Role::Operator), 7))
        .await
        .unwrap();
    fixture
}

/// Runs `work` as one transaction.
async fn run(
    fixture: &Fixture,
    work: impl FnOnce(&mut Tx<'_>, &Scope) -> Result<(), StoreError> + Send + 'static,
) {
    let scope = fixture.scope.clone();
    fixture.store.write(move |tx| work(tx, &scope)).await.unwrap();
}

fn second_organisation(tx: &mut Tx<'_>) -> Result<Scope, StoreError> {
    let row = OrganisationRow {
        id: OrganisationId::new("org-2").unwrap(),
        name: "beta".to_owned(),
        created_at: 3,
    };
    insert_organisation(tx, &SystemScope::for_organisations(), &row)
}

async fn a_session_knows_the_role_its_person_has_now(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_authentication();
        insert_session(tx, scope, "s-1", "u-1", 10)?;
        let mut expected = SessionRow {
            secret_sha256: "s-1".to_owned(),
            organisation: scope.organisation().clone(),
            user_id: "u-1".to_owned(),
            role: Role::Operator,
            created_at: 10,
            used_at: 10,
            label: None,
            has_one_factor: false,
        };
        assert_eq!(session(tx, &system, "s-1")?, Some(expected.clone()));
        set_user_role(tx, scope, "u-1", Role::Viewer)?;
        touch_session(tx, scope, "s-1", 20)?;
        touch_session(tx, scope, "s-1", 15)?;
        (expected.role, expected.used_at) = (Role::Viewer, 20);
        assert_eq!(session(tx, &system, "s-1")?, Some(expected));
        let foreign = second_organisation(tx)?;
        delete_session(tx, &foreign, "s-1")?;
        touch_session(tx, &foreign, "s-1", 30)?;
        assert_eq!(session(tx, &system, "s-1")?.unwrap().used_at, 20);
        delete_session(tx, scope, "s-1")?;
        assert_eq!(session(tx, &system, "s-1")?, None);
        Ok(())
    })
    .await;
}

async fn what_lets_a_person_in_is_listed_for_them_alone(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_authentication();
        insert_user(tx, scope, &new_user("u-2", "bo@x", Role::Owner), 7)?;
        for (secret, user) in [("s-1", "u-1"), ("s-2", "u-1"), ("s-3", "u-2")] {
            insert_session(tx, scope, secret, user, 10)?;
        }
        for (id, user) in [("t-1", "u-1"), ("t-2", "u-1"), ("t-3", "u-2")] {
            let token = TokenRow {
                id: id.to_owned(),
                organisation: scope.organisation().clone(),
                user_id: Some(user.to_owned()),
                role: Role::Owner,
                secret: TokenSecret::Sha256(id.to_owned()),
                things: None,
                created_at: 8,
                expires_at: None,
                revoked_at: None,
                label: None,
                last_used_at: None,
            };
            insert_token(tx, scope, &token)?;
        }
        revoke_token(tx, scope, "t-1", 9)?;
        let ids = |sessions: Vec<SessionRow>| -> Vec<String> {
            sessions.into_iter().map(|session| session.secret_sha256).collect()
        };
        assert_eq!(ids(sessions_of_user(tx, scope, "u-1")?), ["s-1", "s-2"]);
        label_session(tx, scope, "s-1", "Firefox, Linux")?;
        label_session(tx, scope, "s-1", "another")?;
        assert_eq!(session(tx, &system, "s-1")?.unwrap().label.as_deref(), Some("Firefox, Linux"));
        let held = tokens_of_user(tx, scope, "u-1")?;
        assert_eq!(held.into_iter().map(|token| token.id).collect::<Vec<_>>(), ["t-2"]);
        let foreign = second_organisation(tx)?;
        assert_eq!(sessions_of_user(tx, &foreign, "u-1")?, []);
        assert_eq!(tokens_of_user(tx, &foreign, "u-1")?, []);
        assert_eq!(trim_tokens(tx, &SystemScope::for_background(), 9)?, 0);
        assert_eq!(trim_tokens(tx, &SystemScope::for_background(), 10)?, 1);
        assert_eq!(tokens(tx, scope, "", 9)?.len(), 2);
        Ok(())
    })
    .await;
}

async fn sessions_are_dropped_by_their_last_use_and_by_their_age(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope| {
        for (secret, created_at, used_at) in [("old", 10, 90), ("idle", 60, 60), ("kept", 60, 90)] {
            insert_session(tx, scope, secret, "u-1", created_at)?;
            touch_session(tx, scope, secret, used_at)?;
        }
        assert_eq!(trim_sessions(tx, &SystemScope::for_background(), 70, 50)?, 2);
        assert!(session(tx, &SystemScope::for_authentication(), "kept")?.is_some());
        Ok(())
    })
    .await;
}

fn invitation(scope: &Scope, id: &str, email: &str) -> InvitationRow {
    InvitationRow {
        id: id.to_owned(),
        organisation: scope.organisation().clone(),
        email: email.to_owned(),
        role: Role::Publisher,
        invited_by: Some("u-1".to_owned()),
        created_at: 10,
        expires_at: 100,
    }
}

async fn an_invitation_replaces_the_older_one_and_ends(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_authentication();
        insert_invitation(tx, scope, &invitation(scope, "i-1", "bo@x"), "c-1")?;
        let newer = invitation(scope, "i-2", "bo@x");
        insert_invitation(tx, scope, &newer, "c-2")?;
        assert_eq!(invitation_by_code(tx, &system, "c-1", 50)?, None);
        assert_eq!(invitation_by_code(tx, &system, "c-2", 99)?, Some(newer.clone()));
        assert_eq!(invitation_by_code(tx, &system, "c-2", 100)?, None);
        insert_invitation(tx, scope, &invitation(scope, "i-3", "cleo@x"), "c-3")?;
        assert_eq!(invitations(tx, scope, 50, "", 1)?, [newer]);
        assert_eq!(invitations(tx, scope, 50, "bo@x", 9)?[0].id, "i-3");
        assert_eq!(invitations(tx, scope, 100, "", 9)?, []);
        let foreign = second_organisation(tx)?;
        assert_eq!(invitations(tx, &foreign, 50, "", 9)?, []);
        assert!(!delete_invitation(tx, &foreign, "i-2")?);
        assert!(delete_invitation(tx, scope, "i-2")?);
        delete_invitations_by(tx, scope, "u-1")?;
        assert_eq!(invitations(tx, scope, 50, "", 9)?, []);
        insert_invitation(tx, scope, &invitation(scope, "i-4", "bo@x"), "c-4")?;
        assert_eq!(trim_invitations(tx, &SystemScope::for_background(), 100)?, 1);
        Ok(())
    })
    .await;
}

async fn a_reset_code_ends_and_is_used_up_with_all_others(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_authentication();
        insert_password_reset(tx, scope, "c-1", "u-1", 10, 100)?;
        insert_password_reset(tx, scope, "c-2", "u-1", 20, 110)?;
        assert_eq!(user_by_reset_code(tx, &system, "c-1", 99)?.unwrap().email, "ada@x");
        assert_eq!(user_by_reset_code(tx, &system, "c-1", 100)?, None);
        assert_eq!(user_by_reset_code(tx, &system, "c-9", 50)?, None);
        assert_eq!(trim_password_resets(tx, &SystemScope::for_background(), 100)?, 1);
        delete_password_resets_of_user(tx, scope, "u-1")?;
        assert_eq!(user_by_reset_code(tx, &system, "c-2", 50)?, None);
        assert_eq!(user_password(tx, scope, "u-1")?, None);
        set_user_password(tx, scope, "u-1", "$argon2id$…")?;
        assert_eq!(user_password(tx, scope, "u-1")?.as_deref(), Some("$argon2id$…"));
        Ok(())
    })
    .await;
}

async fn a_removed_person_leaves_devices_and_updates_behind(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_authentication();
        add_clock(tx, scope)?;
        let thing = "clock-01".parse().unwrap();
        set_device_owner(tx, scope, &thing, "u-1", 7)?;
        let said = DeviceSaid {
            name: Some("Kitchen"),
            time_zone: Some("Asia/Tokyo"),
            install: otaru_fleet::InstallChoice::Always,
        };
        set_device_said(tx, scope, &thing, &said)?;
        let asked = UpdateRow { requested_by: Some("u-1".to_owned()), ..update_row(scope, "up-1") };
        insert_update(tx, scope, &asked, None)?;
        insert_session(tx, scope, "s-1", "u-1", 10)?;
        insert_password_reset(tx, scope, "r-1", "u-1", 10, 100)?;
        insert_invitation(tx, scope, &invitation(scope, "i-1", "bo@x"), "c-1")?;
        let foreign = second_organisation(tx)?;
        give_up_device(tx, &foreign, &thing, 30)?;
        assert_eq!(device(tx, scope, &thing)?.unwrap().owner.as_deref(), Some("u-1"));
        assert!(!delete_user(tx, &foreign, "u-1")?);

        give_up_device(tx, scope, &thing, 30)?;
        assert!(delete_user(tx, scope, "u-1")?);

        let left = device(tx, scope, &thing)?.unwrap();
        assert_eq!((left.owner, left.name, left.time_zone), (None, None, None));
        assert_eq!(newest_update(tx, scope, &thing)?.unwrap().requested_by, None);
        assert_eq!(session(tx, &system, "s-1")?, None);
        assert_eq!(invitation_by_code(tx, &system, "c-1", 50)?, None);
        assert_eq!(user_by_email_anywhere(tx, &system, "ada@x")?, None);
        Ok(())
    })
    .await;
}

async fn administrators_are_counted_when_they_can_sign_in(fixture: Fixture) {
    run(&fixture, |tx, scope| {
        let foreign = second_organisation(tx)?;
        for (scope, id, password) in [
            (scope, "u-1", Some("hash".to_owned())),
            (scope, "u-2", Some("hash".to_owned())),
            (scope, "u-3", None),
            (&foreign, "u-4", Some("hash".to_owned())),
        ] {
            let user = new_user(id, &format!("{id}@x"), Role::Admin);
            insert_user(tx, scope, &NewUser { password, ..user }, 7)?;
        }
        assert_eq!(admins_with_password(tx, scope, "")?, 2);
        assert_eq!(admins_with_password(tx, scope, "u-1")?, 1);
        set_user_role(tx, scope, "u-2", Role::Viewer)?;
        assert_eq!(admins_with_password(tx, scope, "u-1")?, 0);
        Ok(())
    })
    .await;
}

async fn organisations_are_listed_by_name(fixture: Fixture) {
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_organisations();
        let foreign = second_organisation(tx)?;
        let names = |rows: Vec<OrganisationRow>| -> Vec<String> {
            rows.into_iter().map(|row| row.name).collect()
        };
        assert_eq!(names(organisations(tx, &system, "", 9)?), ["beta", "default"]);
        assert!(!is_email_taken(tx, scope, "ada@x")?);
        insert_user(tx, &foreign, &new_user("u-1", "ada@x", Role::Owner), 7)?;
        assert!(is_email_taken(tx, scope, "ada@x")?);
        assert_eq!(names(organisations(tx, &system, "beta", 9)?), ["default"]);
        assert_eq!(organisation(tx, scope)?.unwrap().name, "default");
        assert_eq!(organisation(tx, &foreign)?.unwrap().created_at, 3);
        Ok(())
    })
    .await;
}

async fn the_organisation_of_a_code_is_known_as_long_as_the_code_works(fixture: Fixture) {
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_authentication();
        add_clock(tx, scope)?;
        let code = Digest::of(b"code");
        let thing = "clock-01".parse().unwrap();
        insert_claim_code(tx, scope, &thing, &code, 1)?;
        let known = organisation_of_claim_code(tx, &system, &code, i64::MAX)?;
        assert_eq!(known.as_ref(), Some(scope.organisation()));
        use_claim_code(tx, scope, &code, 2)?;
        assert_eq!(organisation_of_claim_code(tx, &system, &code, 2)?, None);

        let share = Digest::of(b"share");
        insert_user(tx, scope, &new_user("u-1", "ada@x", Role::Owner), 7)?;
        insert_share_code(tx, scope, &thing, &share, "u-1", 10, 20)?;
        assert!(organisation_of_claim_code(tx, &system, &share, 19)?.is_some());
        assert_eq!(organisation_of_claim_code(tx, &system, &share, 20)?, None);
        Ok(())
    })
    .await;
}

async fn access_keys_are_found_among_tokens_while_they_work(fixture: Fixture) {
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_background();
        let key = |id: &str, expires_at, revoked_at| TokenRow {
            id: id.to_owned(),
            organisation: scope.organisation().clone(),
            user_id: None,
            role: Role::Operator,
            secret: TokenSecret::Sealed(vec![0, 1, 255]),
            things: Some(vec!["clock:01".parse().unwrap()]),
            created_at: 8,
            expires_at,
            revoked_at,
            label: None,
            last_used_at: None,
        };
        let working = key("k-1", Some(11), None);
        for row in [&working, &key("k-2", Some(10), None), &key("k-3", None, Some(9))] {
            insert_token(tx, scope, row)?;
        }
        let bearer = TokenSecret::Sha256("00".to_owned());
        let bearer = TokenRow { secret: bearer, things: None, ..key("t-1", None, None) };
        insert_token(tx, scope, &bearer)?;
        assert_eq!(token_by_id(tx, &system, "t-1")?, Some(bearer));
        assert_eq!(token_by_id(tx, &system, "k-1")?, Some(working.clone()));
        assert_eq!(working_access_keys(tx, &system, 10)?, [working]);
        assert_eq!(tokens(tx, scope, "", 9)?.len(), 4);
        Ok(())
    })
    .await;
}

const FIRST: &str = include_str!("../../migrations/0001_first.sql");

/// What the first schema held before this one.
const OLD_ROWS: &str = "
    CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY);
    INSERT INTO schema_version (version) VALUES (1);
    INSERT INTO organisations (id, name, created_at) VALUES ('org-1', 'default', 1);
    INSERT INTO users (id, organisation, email, role, created_at)
        VALUES ('u-1', 'org-1', 'ada@x', 'owner', 2);
    INSERT INTO tokens (id, organisation, user_id, role, secret_sha256, created_at)
        VALUES ('t-1', 'org-1', 'u-1', 'owner', '00', 3);
    INSERT INTO products (name, organisation, chip, flash_bytes, slot_bytes, download, phase_limits, created_at)
        VALUES ('clock', 'org-1', 'esp32c3', 1, 1, 'device', '{}', 4);
    INSERT INTO devices (thing, organisation, product, agent, online, session_version, created_at)
        VALUES ('clock-01', 'org-1', 'clock', 0, 0, 0, 5);
    INSERT INTO updates (id, organisation, thing, product, version, sha256, plain, phase, done_bytes,
            total_bytes, attempt, cancel_requested, requested_at, phase_at, bytes_at)
        VALUES ('up-1', 'org-1', 'clock-01', 'clock', '1.0.5', '00', 0, 'downloading', 0, 0, 2, 0, 6, 8, 9);";

async fn check_migrated(home: Home) {
    let fixture = Fixture::open(home).await;
    run(&fixture, |tx, scope| {
        let system = SystemScope::for_authentication();
        let user = user_by_email_anywhere(tx, &system, "ada@x")?.unwrap();
        assert_eq!((user.id.as_str(), user.language), ("u-1", None));
        assert_eq!(user_password(tx, scope, "u-1")?, None);
        assert_eq!(token_by_id(tx, &system, "t-1")?.unwrap().label, None);
        // Nobody knows whose it was before: nothing of then is a new owner's.
        let device = device(tx, scope, &"clock-01".parse().unwrap())?.unwrap();
        assert_eq!(device.given_up_at, Some(6));
        let phases = update_phases(tx, scope, &"up-1".parse().unwrap())?;
        assert_eq!((phases.len(), phases[0].attempt, phases[0].at), (1, 2, 8));
        insert_session(tx, scope, "s-1", "u-1", 10)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_the_first_schema_are_kept_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("otaru.db")).unwrap();
    let first = FIRST
        .replace("BIGSERIAL PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT")
        .replace("BYTEA", "BLOB");
    connection.execute_batch(&(first + OLD_ROWS)).unwrap();
    drop(connection);
    check_migrated(Home::Folder(folder)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_the_first_schema_are_kept_on_postgres() {
    let database = otaru_postgres::Database::fresh();
    let url = database.url().to_owned();
    let fill = move || {
        let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
        client.batch_execute(&(FIRST.to_owned() + OLD_ROWS)).unwrap();
    };
    tokio::task::spawn_blocking(fill).await.unwrap();
    check_migrated(Home::Server(database)).await;
}
