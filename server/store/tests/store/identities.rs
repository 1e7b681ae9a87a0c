//! People as identity providers know them.

use otaru_fleet::Role;
use otaru_store::*;

use super::{Fixture, Home, new_user};

on_both_engines! {
    what_an_issuer_calls_somebody_is_one_person_of_the_server
    an_identity_is_listed_for_its_person_and_shows_the_role_of_now
    a_session_of_a_provider_goes_with_the_session_and_with_the_identity
    an_older_program_removes_a_person_with_all_of_that
    issuers_of_administrators_are_told
}

fn identity_row(scope: &Scope, id: &str, user: &str, subject: &str) -> IdentityRow {
    IdentityRow {
        id: id.to_owned(),
        organisation: scope.organisation().clone(),
        user_id: user.to_owned(),
        role: Role::Owner,
        issuer: "https://id.example".to_owned(),
        subject: subject.to_owned(),
        email: None,
        created_at: 10,
        used_at: None,
        claims_at: 0,
    }
}

fn provider_session_row(digest: &str, identity: &str) -> ProviderSessionRow {
    ProviderSessionRow {
        secret_sha256: digest.to_owned(),
        identity_id: identity.to_owned(),
        issuer: "https://id.example".to_owned(),
        provider_session: Some("sid-1".to_owned()),
        id_token: Some(vec![1, 2, 3]),
        proven_at: Some(11),
    }
}

/// Ada, whom the issuer calls `ada`, in a session that it opened.
async fn with_ada(fixture: Fixture) -> Fixture {
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        insert_user(tx, &scope, &new_user("u-1", "ada@x", Role::Owner), 7)?;
        insert_identity(tx, &scope, &identity_row(&scope, "i-1", "u-1", "ada"))?;
        insert_session(tx, &scope, "s-1", "u-1", 10)?;
        insert_provider_session(tx, &scope, &provider_session_row("s-1", "i-1"))
    };
    fixture.store.write(work).await.unwrap();
    fixture
}

/// Runs `work` as one transaction.
async fn run(
    fixture: &Fixture,
    work: impl FnOnce(&mut Tx<'_>, &Scope, &SystemScope) -> Result<(), StoreError> + Send + 'static,
) {
    let (scope, system) = (fixture.scope.clone(), SystemScope::for_authentication());
    fixture.store.write(move |tx| work(tx, &scope, &system)).await.unwrap();
}

async fn what_an_issuer_calls_somebody_is_one_person_of_the_server(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    let scope = fixture.scope.clone();
    let again = move |tx: &mut Tx<'_>| {
        insert_user(tx, &scope, &new_user("u-2", "bo@x", Role::Owner), 7)?;
        insert_identity(tx, &scope, &identity_row(&scope, "i-2", "u-2", "ada"))
    };
    let refused = fixture.store.write(again).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(_))), "{refused:?}");
    run(&fixture, |tx, _, system| {
        let issuer = "https://id.example";
        assert_eq!(identity_of_subject(tx, system, issuer, "ada")?.unwrap().user_id, "u-1");
        assert_eq!(identity_of_subject(tx, system, issuer, "ADA")?, None);
        assert_eq!(identity_of_subject(tx, system, "https://id.example/", "ada")?, None);
        Ok(())
    })
    .await;
}

async fn an_identity_is_listed_for_its_person_and_shows_the_role_of_now(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope, system| {
        set_user_role(tx, scope, "u-1", Role::Viewer)?;
        assert_eq!(identity(tx, system, "i-1")?.unwrap().role, Role::Viewer);
        touch_identity(tx, scope, "i-1", Some("ada@id"), 20, 30)?;
        // A token that was made before says nothing new.
        touch_identity(tx, scope, "i-1", Some("ada@id"), 15, 40)?;
        let all = identities_of_user(tx, scope, "u-1")?;
        let [ada] = &all[..] else { panic!("{all:?}") };
        assert_eq!((ada.claims_at, ada.used_at), (20, Some(40)));
        assert_eq!(ada.email.as_deref(), Some("ada@id"));
        assert!(identities_of_user(tx, scope, "u-2")?.is_empty());
        Ok(())
    })
    .await;
}

async fn a_session_of_a_provider_goes_with_the_session_and_with_the_identity(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope, system| {
        let row = provider_session_row("s-1", "i-1");
        let only = std::slice::from_ref(&row);
        assert_eq!(provider_session(tx, scope, "s-1")?, Some(row.clone()));
        assert_eq!(session_of_provider(tx, system, "s-1")?, Some(row.clone()));
        assert_eq!(provider_sessions_of_identity(tx, scope, "i-1")?, only);
        let issuer = "https://id.example";
        assert_eq!(sessions_of_provider_session(tx, system, issuer, "sid-1")?, only);
        assert!(sessions_of_provider_session(tx, system, issuer, "sid-2")?.is_empty());
        delete_session(tx, scope, "s-1")?;
        assert_eq!(provider_session(tx, scope, "s-1")?, None);
        insert_session(tx, scope, "s-1", "u-1", 10)?;
        insert_provider_session(tx, scope, &row)?;
        delete_identity(tx, scope, "i-1")?;
        assert_eq!(provider_session(tx, scope, "s-1")?, None);
        assert!(session(tx, system, "s-1")?.is_some(), "it ends by itself or not at all");
        Ok(())
    })
    .await;
}

async fn an_older_program_removes_a_person_with_all_of_that(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    // As it does, which knows neither table.
    let sql = "DELETE FROM sessions WHERE user_id = 'u-1'; DELETE FROM users WHERE id = 'u-1'";
    match &fixture.home {
        Home::Folder(folder) => {
            let connection = rusqlite::Connection::open(folder.path().join("otaru.db")).unwrap();
            connection.execute_batch(&format!("PRAGMA foreign_keys = ON; {sql}")).unwrap();
        }
        Home::Server(database) => {
            let url = database.url().to_owned();
            let remove = move || {
                let mut client = ::postgres::Client::connect(&url, ::postgres::NoTls).unwrap();
                client.batch_execute(sql).unwrap();
            };
            tokio::task::spawn_blocking(remove).await.unwrap();
        }
    }
    run(&fixture, |tx, scope, system| {
        assert_eq!(identity(tx, system, "i-1")?, None);
        assert_eq!(provider_session(tx, scope, "s-1")?, None);
        Ok(())
    })
    .await;
}

async fn issuers_of_administrators_are_told(fixture: Fixture) {
    let fixture = with_ada(fixture).await;
    run(&fixture, |tx, scope, _| {
        assert!(issuers_of_admins(tx, scope, "")?.is_empty());
        set_user_role(tx, scope, "u-1", Role::Admin)?;
        assert_eq!(issuers_of_admins(tx, scope, "")?, ["https://id.example"]);
        assert!(issuers_of_admins(tx, scope, "u-1")?.is_empty());
        assert!(organisation_named(tx, &SystemScope::for_authentication(), "default")?.is_some());
        assert!(organisation_named(tx, &SystemScope::for_authentication(), "none")?.is_none());
        Ok(())
    })
    .await;
}
