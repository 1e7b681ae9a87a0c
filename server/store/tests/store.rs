//! The same suite on SQLite and on PostgreSQL.

use otaru_fleet::{Limits, Role, Update};
use otaru_postgres::Database;
use otaru_store::*;
use otaru_wire::{Digest, OrganisationId, Phase};
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
#[path = "store/commits.rs"]
mod commits;
#[path = "store/fleet.rs"]
mod fleet;
#[path = "store/history.rs"]
mod history;
#[path = "store/identities.rs"]
mod identities;
#[path = "store/patches.rs"]
mod patches;
#[path = "store/private_files.rs"]
mod private_files;
#[path = "store/rows.rs"]
mod rows;
#[path = "store/shared_commits.rs"]
mod shared_commits;
#[path = "store/sharing.rs"]
mod sharing;
#[path = "store/signers.rs"]
mod signers;
#[path = "store/told.rs"]
mod told;
#[path = "store/updates.rs"]
mod updates;
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
    insert_root(tx, scope, &"clock".parse().unwrap(), 1, b"root one", &keys())?;
    insert_device(tx, scope, &"clock-01".parse().unwrap(), &"clock".parse().unwrap(), 5)
}

/// A release key, and one that was revoked.
fn keys() -> [SigningKeyRow; 2] {
    [("good", false), ("stolen", true)]
        .map(|(key_id, is_revoked)| SigningKeyRow { key_id: key_id.to_owned(), is_revoked })
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
        consent: otaru_fleet::Consent::Deadline { deadline_days: 14, ask_on_device: true },
        settings: Some(Vec::new()),
        needs_approval: false,
        images: otaru_fleet::ImageFormat::EspIdf,
        chip_revisions: Some(otaru_fleet::ChipRevisions { min: 3, max: 101 }),
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
        image: Some(otaru_fleet::ImageRecord::raw("esp32c3", Some("clock".to_owned()))),
        warnings: vec![otaru_fleet::Warning { code: "a".to_owned(), detail: "b".to_owned() }],
        security_counter: Some(u32::MAX),
        source: Some(otaru_fleet::Source {
            repository: "https://example.org/clock".to_owned(),
            commit: "0123456".to_owned(),
        }),
        sbom: None,
        is_draft: false,
        approval: None,
        created_at: 6,
        yanked_at: None,
        yank_reason: None,
        image_deleted_at: None,
        signer: Some("good".to_owned()),
        trust: Trust::Trusted,
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
        is_downgrade: false,
    }
}

fn new_user(id: &str, email: &str, role: Role) -> NewUser {
    NewUser { id: id.to_owned(), email: email.to_owned(), role, password: None }
}
