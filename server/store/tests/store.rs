//! The same suite on SQLite and on PostgreSQL.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use otaru_fleet::{Language, Limits, Role, Running, Update};
use otaru_postgres::Database;
use otaru_store::*;
use otaru_wire::{Digest, OrganisationId, Phase, ReleaseVersion, ShadowId, payload::FirmwareState};
use tokio::sync::mpsc::UnboundedReceiver;

/// Each fact, once per engine.
macro_rules! on_both_engines {
    ($($fact:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $fact() { super::$fact(super::Fixture::on(otaru_store::Engine::Sqlite).await).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $fact() { super::$fact(super::Fixture::on(otaru_store::Engine::Postgres).await).await; })*
        }
    };
}

#[path = "store/accounts.rs"]
mod accounts;
#[path = "store/sharing.rs"]
mod sharing;
#[path = "store/wire.rs"]
mod wire;

/// Keeps what the database lives in until the test ends.
enum Home {
    Folder(tempfile::TempDir),
    Server(Database),
}

struct Fixture {
    store: Store,
    notices: UnboundedReceiver<Notice>,
    scope: Scope,
    home: Home,
}

impl Fixture {
    async fn on(engine: Engine) -> Fixture {
        let home = match engine {
            Engine::Sqlite => Home::Folder(tempfile::tempdir().unwrap()),
            Engine::Postgres => Home::Server(Database::fresh()),
        };
        Fixture::open(home).await
    }

    async fn open(home: Home) -> Fixture {
        let url = match &home {
            Home::Folder(folder) => Store::sqlite_url(&folder.path().join("otaru.db")),
            Home::Server(database) => database.url().to_owned(),
        };
        let (store, notices) = Store::open(&url).await.unwrap();
        let id = OrganisationId::new("org-1").unwrap();
        let organisation = store
            .write(move |tx| {
                ensure_organisation(tx, &SystemScope::for_background(), &id, "default", 1)
            })
            .await
            .unwrap();
        Fixture { store, notices, scope: Scope::of(organisation), home }
    }

    async fn reopened(self) -> Fixture {
        let Fixture { home, store, .. } = self;
        drop(store);
        Fixture::open(home).await
    }

    /// A product with one device.
    async fn with_device(self) -> Fixture {
        let scope = self.scope.clone();
        self.store.write(move |tx| add_clock(tx, &scope)).await.unwrap();
        self
    }
}

fn add_clock(tx: &mut Tx<'_>, scope: &Scope) -> Result<(), StoreError> {
    insert_product(tx, scope, &clock(scope))?;
    insert_root(tx, scope, &"clock".parse().unwrap(), 1, b"root one")?;
    insert_device(tx, scope, &"clock-01".parse().unwrap(), &"clock".parse().unwrap(), 5)
}

fn clock(scope: &Scope) -> ProductRow {
    ProductRow {
        name: "clock".parse().unwrap(),
        organisation: scope.organisation().clone(),
        chip: "esp32c3".to_owned(),
        flash_bytes: 4 << 20,
        slot_bytes: 0x1E_0000,
        public_download: false,
        limits: Limits::default(),
        created_at: 4,
        consent: otaru_fleet::Consent::Deadline { deadline_days: 14 },
        settings: Some(Vec::new()),
    }
}

fn release(version: &str, sequence: u64) -> ReleaseRow {
    ReleaseRow {
        product: "clock".parse().unwrap(),
        version: version.parse().unwrap(),
        sha256: Digest::of(version.as_bytes()),
        size_bytes: 1_500_000,
        sequence,
        channel: "stable".to_owned(),
        notes: otaru_fleet::Texts::from_iter([
            ("en".to_owned(), "Ticks.".to_owned()),
            ("ja".to_owned(), "チクタク".to_owned()),
        ]),
        safety: None,
        created_at: 6,
        yanked_at: None,
    }
}

fn update_row(scope: &Scope, id: &str) -> UpdateRow {
    UpdateRow {
        update: Update {
            id: id.parse().unwrap(),
            version: "1.0.5".parse().unwrap(),
            sha256: Digest::of(b"1.0.5"),
            plain: false,
            phase: Phase::Requested,
            outcome: None,
            reason: None,
            done_bytes: 0,
            total_bytes: 10,
            attempt: 0,
            cancel_requested: false,
            requested_at: 100,
            phase_at: 100,
            bytes_at: 100,
            downloading_at: None,
            told_at: None,
            until_at: None,
            ended_at: None,
        },
        organisation: scope.organisation().clone(),
        thing: "clock-01".parse().unwrap(),
        product: "clock".parse().unwrap(),
        from_version: Some("1.0.4".to_owned()),
        from_sha256: Some(Digest::of(b"1.0.4")),
        requested_by: None,
        decided_by: Some(DecidedBy::Policy),
        put_off: Some(PutOff::Tonight),
    }
}

on_both_engines! {
    an_error_undoes_the_work_and_its_notices
    a_panic_undoes_only_itself
    work_that_hides_a_failure_is_not_acknowledged_unless_stored
    waiting_work_shares_commits_and_each_is_atomic
    work_of_one_caller_runs_in_its_order
    nothing_committed_is_lost_by_opening_again
    a_reader_cannot_write_what_stays
    rows_come_back_as_they_were_stored
    another_organisation_sees_nothing
    a_taken_key_is_told_apart_from_other_failures
    a_nul_is_refused_before_the_database_is_asked
    a_claim_code_works_once
    only_the_newest_session_can_end
    a_clock_set_back_keeps_no_device_offline
    releases_are_found_by_image_and_by_sequence
    updates_past_their_deadline_are_found
    updates_are_listed_newest_first
    shadows_keep_their_tombstones
    events_are_numbered_in_commit_order
    logs_are_kept_to_a_length
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
                secret_sha256: "00".to_owned(),
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

fn new_user(id: &str, email: &str, role: Role) -> NewUser {
    NewUser { id: id.to_owned(), email: email.to_owned(), role, password: None }
}

fn stored_user(tx: &mut Tx<'_>, scope: &Scope) -> Result<Option<UserRow>, StoreError> {
    user_by_email(tx, scope, "ada@example.org")
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
            assert_eq!(devices(tx, &foreign, "", 10)?, []);
            assert_eq!(otaru_store::product(tx, &foreign, &product)?, None);
            assert_eq!(root_document(tx, &foreign, &product, None)?, None);
            assert!(root_document_anywhere(tx, &system, &product, Some(1))?.is_some());
            assert_eq!(last_event_id(tx, &foreign)?, 0);
            assert_eq!(otaru_store::release(tx, &foreign, &product, &version)?, None);
            assert_eq!(newest_update(tx, &foreign, &thing)?, None);
            assert_eq!(update(tx, &foreign, &"up-1".parse().unwrap())?, None);
            assert_eq!(events(tx, &foreign, None, 0, 10)?, []);
            assert_eq!(logs(tx, &foreign, &thing, 0, 10)?, []);
            assert!(!yank_release(tx, &foreign, &product, &version, 9)?);
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

async fn releases_are_found_by_image_and_by_sequence(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let product = "clock".parse().unwrap();
            assert_eq!(last_sequence(tx, &scope, &product)?, 0);
            insert_release(tx, &scope, &release("1.0.4", 3), b"four")?;
            insert_release(tx, &scope, &release("1.0.5", 8), b"five")?;
            assert_eq!(last_sequence(tx, &scope, &product)?, 8);
            let found = release_by_image(tx, &scope, &product, &Digest::of(b"1.0.4"))?;
            assert_eq!(found, Some(release("1.0.4", 3)));
            let newest = newest_release(tx, &scope, &product, "stable")?.unwrap();
            assert_eq!(newest.version.as_str(), "1.0.5");
            assert!(yank_release(tx, &scope, &product, &newest.version, 9)?);
            assert!(!yank_release(tx, &scope, &product, &newest.version, 10)?);
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

async fn shadows_keep_their_tombstones(fixture: Fixture) {
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let system = SystemScope::for_authentication();
            let limits = otaru_shadow::Limits::default();
            let request =
                otaru_shadow::UpdateRequest::parse(br#"{"state":{"desired":{"a":1}}}"#, &limits)
                    .unwrap();
            let document = otaru_shadow::Document::apply(None, &request, 9, &limits).unwrap();
            let thing: otaru_wire::ThingName = "free-name".parse().unwrap();
            let classic = ShadowId::classic(thing.clone());
            let named = ShadowId::named(thing.clone(), "cfg".parse().unwrap());
            put_shadow(tx, &scope, &classic, &document, 1)?;
            put_shadow(tx, &scope, &named, &document, 1)?;
            assert_eq!(shadow(tx, &system, &classic)?.unwrap().document, document);
            assert_eq!(shadow_names(tx, &scope, &thing, "", 10)?, ["cfg"]);
            assert_eq!(shadows_of_thing(tx, &scope, &thing)?.len(), 2);
            put_shadow(tx, &scope, &named, &document.delete(), 2)?;
            assert_eq!(shadow_names(tx, &scope, &thing, "", 10)?, [] as [&str; 0]);
            assert!(shadow(tx, &system, &named)?.unwrap().document.is_deleted());
            let foreign = Scope::of(OrganisationId::new("org-2").unwrap());
            assert!(is_thing_foreign(tx, &foreign, &thing)?);
            put_shadow(tx, &foreign, &classic, &document.delete(), 3)?;
            assert_eq!(shadow(tx, &system, &classic)?.unwrap().document, document);
            assert!(!is_thing_foreign(tx, &scope, &thing)?);
            Ok(())
        })
        .await
        .unwrap();
}

async fn events_are_numbered_in_commit_order(fixture: Fixture) {
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let first = insert_event(tx, &scope, Some("u-1"), &[], "a", "{}", 10)?;
            let second = insert_event(tx, &scope, None, &[], "b", "{}", 20)?;
            assert!(second.id > first.id);
            assert_eq!(last_event_id(tx, &scope)?, second.id);
            assert_eq!(events(tx, &scope, Some("u-1"), 0, 10)?, std::slice::from_ref(&first));
            assert_eq!(events(tx, &scope, None, first.id, 10)?, [second]);
            assert_eq!(trim_events(tx, &SystemScope::for_background(), 20)?, 1);
            Ok(())
        })
        .await
        .unwrap();
}

async fn logs_are_kept_to_a_length(fixture: Fixture) {
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let thing = "clock-01".parse().unwrap();
            for number in 0..10 {
                insert_log(tx, &scope, &thing, &format!("{{\"n\":{number}}}"), number)?;
            }
            let tail = log_tail(tx, &scope, &thing, 3)?;
            assert_eq!(logs(tx, &scope, &thing, tail, 10)?.len(), 3);
            for (count, found) in [(0, 0), (10, 10), (11, 10)] {
                let tail = log_tail(tx, &scope, &thing, count)?;
                assert_eq!(logs(tx, &scope, &thing, tail, 20)?.len(), found, "tail {count}");
            }
            assert_eq!(trim_logs_of_thing(tx, &scope, &thing, 4)?, 6);
            assert_eq!(logs(tx, &scope, &thing, 0, 10)?.len(), 4);
            assert_eq!(trim_logs(tx, &SystemScope::for_background(), 8)?, 2);
            assert_eq!(logs(tx, &scope, &thing, 0, 10)?.len(), 2);
            Ok(())
        })
        .await
        .unwrap();
}
