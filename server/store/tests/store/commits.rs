//! All or nothing, in order, and durable.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use otaru_postgres::Database;
use otaru_store::*;
use otaru_wire::OrganisationId;

use super::{Fixture, Home, add_clock, wire};

on_both_engines! {
    an_error_undoes_the_work_and_its_notices
    a_panic_undoes_only_itself
    work_that_hides_a_failure_is_not_acknowledged_unless_stored
    waiting_work_shares_commits_and_each_is_atomic
    work_of_one_caller_runs_in_its_order
    nothing_committed_is_lost_by_opening_again
    a_reader_cannot_write_what_stays
}

async fn an_error_undoes_the_work_and_its_notices(mut fixture: Fixture) {
    let scope = fixture.scope.clone();
    let outcome: Result<(), StoreError> = fixture
        .store
        .write(move |tx| {
            insert_event(tx, &scope, None, &[], "lost", "{}", 1)?;
            tx.notify(Notice::Disconnect { client_id: "lost".to_owned() });
            Err(StoreError::Closed)
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::Closed)));
    let scope = fixture.scope.clone();
    let found = fixture.store.read(move |tx| events(tx, &scope, None, 0, 10)).await.unwrap();
    assert_eq!(found, []);
    assert!(fixture.notices.try_recv().is_err());
}

async fn a_panic_undoes_only_itself(fixture: Fixture) {
    let scope = fixture.scope.clone();
    let outcome: Result<(), StoreError> = fixture
        .store
        .write(move |tx| {
            insert_event(tx, &scope, None, &[], "lost", "{}", 1)?;
            panic!("a bug in an operation");
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::Closed)));
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| insert_event(tx, &scope, None, &[], "kept", "{}", 1))
        .await
        .unwrap();
    let scope = fixture.scope.clone();
    let found = fixture.store.read(move |tx| events(tx, &scope, None, 0, 10)).await.unwrap();
    assert_eq!(found.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["kept"]);
}

/// PostgreSQL answers COMMIT with success even when a failed statement, whose error somebody
/// threw away, has broken the transaction.
async fn work_that_hides_a_failure_is_not_acknowledged_unless_stored(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let mut waiting = Vec::new();
    for number in 0..20_i64 {
        let (store, scope) = (fixture.store.clone(), fixture.scope.clone());
        waiting.push(tokio::spawn(async move {
            store
                .write(move |tx| {
                    insert_event(tx, &scope, None, &[], &number.to_string(), "{}", 1)?;
                    if number % 5 == 0 {
                        let _hidden = add_clock(tx, &scope);
                    }
                    Ok::<_, StoreError>(())
                })
                .await
                .is_ok()
                .then(|| number.to_string())
        }));
    }
    let mut acknowledged = Vec::new();
    for task in waiting {
        acknowledged.extend(task.await.unwrap());
    }
    let scope = fixture.scope.clone();
    let stored = fixture.store.read(move |tx| events(tx, &scope, None, 0, 100)).await.unwrap();
    let mut stored: Vec<String> = stored.into_iter().map(|event| event.kind).collect();
    stored.sort();
    acknowledged.sort();
    assert_eq!(stored, acknowledged);
    assert!(acknowledged.len() >= 16, "others were dragged along: {acknowledged:?}");
}

async fn waiting_work_shares_commits_and_each_is_atomic(mut fixture: Fixture) {
    let failures = Arc::new(AtomicU32::new(0));
    let mut waiting = Vec::new();
    for number in 0..1_000_i64 {
        let (store, scope) = (fixture.store.clone(), fixture.scope.clone());
        let failures = failures.clone();
        waiting.push(tokio::spawn(async move {
            let outcome: Result<(), StoreError> = store
                .write(move |tx| {
                    let event = insert_event(tx, &scope, None, &[], &number.to_string(), "{}", 1)?;
                    tx.notify(Notice::Event(event));
                    if number % 10 == 3 { Err(StoreError::Closed) } else { Ok(()) }
                })
                .await;
            if outcome.is_err() {
                failures.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(failures.load(Ordering::Relaxed), 100);
    let mut told = Vec::new();
    while let Ok(Notice::Event(event)) = fixture.notices.try_recv() {
        told.push(event.id);
    }
    assert_eq!(told.len(), 900);
    assert!(told.is_sorted(), "notices left out of commit order");
    let scope = fixture.scope.clone();
    let stored = fixture.store.read(move |tx| events(tx, &scope, None, 0, 2_000)).await.unwrap();
    assert_eq!(stored.iter().map(|event| event.id).collect::<Vec<_>>(), told);
}

async fn work_of_one_caller_runs_in_its_order(fixture: Fixture) {
    for number in 0..200_i64 {
        let scope = fixture.scope.clone();
        let work = move |tx: &mut Tx<'_>| {
            insert_event(tx, &scope, None, &[], &number.to_string(), "{}", 1).map(drop)
        };
        fixture.store.enqueue::<(), StoreError>(work, |outcome| outcome.unwrap()).await.unwrap();
    }
    let scope = fixture.scope.clone();
    let found = fixture.store.write(move |tx| events(tx, &scope, None, 0, 1_000)).await.unwrap();
    let kinds: Vec<i64> = found.iter().map(|event| event.kind.parse().unwrap()).collect();
    assert_eq!(kinds, (0..200).collect::<Vec<_>>());
}

async fn nothing_committed_is_lost_by_opening_again(fixture: Fixture) {
    let fixture = fixture.with_device().await.reopened().await;
    let scope = fixture.scope.clone();
    let found = fixture
        .store
        .read(move |tx| device(tx, &scope, &"clock-01".parse().unwrap()))
        .await
        .unwrap();
    assert!(found.is_some());
}

async fn a_reader_cannot_write_what_stays(fixture: Fixture) {
    let scope = fixture.scope.clone();
    let _: Result<EventRow, StoreError> = fixture
        .store
        .read(move |tx| insert_event(tx, &scope, None, &[], "smuggled", "{}", 1))
        .await;
    let scope = fixture.scope.clone();
    let found = fixture.store.read(move |tx| events(tx, &scope, None, 0, 10)).await.unwrap();
    assert_eq!(found, []);
}

/// Nobody pays for a restart of the server that nobody was waiting on.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_server_ended_are_opened_again_unnoticed() {
    let fixture = Fixture::on(Engine::Postgres).await;
    for round in 1..=2 {
        let scope = fixture.scope.clone();
        let add =
            move |tx: &mut Tx<'_>| insert_event(tx, &scope, None, &[], "kept", "{}", 1).map(drop);
        fixture.store.write(add).await.unwrap();
        for _ in 0..20 {
            let scope = fixture.scope.clone();
            let read = move |tx: &mut Tx<'_>| events(tx, &scope, None, 0, 10);
            assert_eq!(fixture.store.read(read).await.unwrap().len(), round);
        }
        let Home::Server(database) = &fixture.home else { unreachable!("it is PostgreSQL") };
        database.end_sessions();
    }
}

/// The commit happens and the answer is lost: nobody knows, and whoever listens must look.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_makes_listeners_read_again() {
    let database = Database::fresh();
    let wire = wire::Wire::to(database.url());
    let (store, mut notices) = Store::open(&wire.url).await.unwrap();
    let id = OrganisationId::new("org-1").unwrap();
    let organisation = store
        .write(move |tx| ensure_organisation(tx, &SystemScope::for_background(), &id, "default", 1))
        .await
        .unwrap();
    let scope = Scope::of(organisation);
    let add = |kind: &'static str| {
        let scope = scope.clone();
        move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
            let event = insert_event(tx, &scope, None, &[], kind, "{}", 1)?;
            tx.notify(Notice::Event(event));
            Ok(())
        }
    };
    store.write(add("one")).await.unwrap();
    wire.lose_the_answer_to_the_next("COMMIT");
    let lost = store.write(add("two")).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    store.write(add("three")).await.unwrap();

    let mut told = Vec::new();
    while let Ok(notice) = notices.try_recv() {
        told.push(match notice {
            Notice::Event(event) => event.kind,
            Notice::CommitUncertain => "uncertain".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["one", "uncertain", "uncertain", "three"]);
    let kept = store.read(move |tx| events(tx, &scope, None, 0, 10)).await.unwrap();
    let kept: Vec<&str> = kept.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kept, ["one", "two", "three"]);
}

/// Two servers would each take the other's devices for their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_database_is_refused() {
    let first = Fixture::on(Engine::Postgres).await;
    let Home::Server(database) = &first.home else { unreachable!("it is PostgreSQL") };
    // The lock went with the session, and is taken again with the next one.
    database.end_sessions();
    let scope = first.scope.clone();
    let add = move |tx: &mut Tx<'_>| insert_event(tx, &scope, None, &[], "kept", "{}", 1).map(drop);
    first.store.write(add).await.unwrap();

    let refused = Store::open(database.url()).await.map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::InUse), "{refused:?}");

    let other = Fixture::on(Engine::Postgres).await;
    let scope = other.scope.clone();
    other.store.read(move |tx| events(tx, &scope, None, 0, 1)).await.unwrap();
    first.reopened().await;
}
