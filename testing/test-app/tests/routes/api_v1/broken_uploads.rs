//! Uploads that end in the middle of what the server does, as they do when it is killed.

use std::fs;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::Bytes;
use otaru_fleet::Role;
use otaru_operations::{
    Actor, Credential, CredentialKind, OperationError, Origin, Refusal, begin_upload,
    cancel_upload, grow_upload, show_upload, trim,
};
use otaru_store::{Scope, StoreError, Tx};
use otaru_test_app::{Client, Database, TestApp, each_database};

const RELEASES: &str = "/api/v1/products/clock/releases";

/// Longer than the time that an upload is kept which does not grow.
const LONG: Duration = Duration::from_secs(25 * 60 * 60);

fn scope(app: &TestApp) -> Scope {
    Scope::of(app.operations.default_organisation().clone())
}

fn publisher(app: &TestApp) -> Actor {
    let credential = Credential {
        kind: CredentialKind::Token,
        id: "a-token".to_owned(),
        expires_at: None,
        proven_at: None,
    };
    let (scope, role, origin) = (scope(app), Role::Publisher, Origin::default());
    Actor { scope, role, user: None, credential, language: None, origin }
}

/// Looks at some work this often, and no more, if it has not ended then.
async fn cut_after<T>(looks: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = looks;
    poll_fn(|context| match left {
        0 => Poll::Ready(None),
        _ => {
            left -= 1;
            work.as_mut().poll(context).map(Some)
        }
    })
    .await
}

/// The files of all uploads.
fn pieces(app: &TestApp) -> usize {
    fn files(folder: &Path) -> usize {
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| if path.is_dir() { files(&path) } else { 1 })
            .sum()
    }
    files(&app.image_folder().join("uploads"))
}

/// Lets what was cut off end on its other thread, on which a kill would have ended it.
async fn settle(app: &TestApp) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    app.store.write(|_: &mut Tx<'_>| Ok::<_, StoreError>(())).await.unwrap();
}

/// Lets a day go by, after which nothing of any upload may be left. What was cut off here may be
/// at work on another thread still, which after a kill it is not: it is given time to end.
async fn nothing_is_left(app: &TestApp, what: &str) {
    app.advance(LONG);
    let mut left = (0, 0);
    for _ in 0..100 {
        trim(&app.operations).await.unwrap();
        let scope = scope(app);
        let rows = app.store.read(move |tx: &mut Tx<'_>| otaru_store::count_uploads(tx, &scope));
        let rows: Result<u64, StoreError> = rows.await;
        left = (rows.unwrap(), pieces(app));
        if left == (0, 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: {left:?} are left");
}

async fn begin(app: &TestApp, size_bytes: u64) -> String {
    begin_upload(&app.operations, &publisher(app), size_bytes, None).await.unwrap().id
}

async fn publish(app: &TestApp, client: &Client, upload: &str) -> u16 {
    let firmware = app.firmware("clock", "1.0.5", 1);
    let form: [(&str, &[u8]); 2] =
        [("upload", upload.as_bytes()), ("manifest", &firmware.manifest)];
    client.upload(RELEASES, &form).await.status()
}

each_database! {
    async fn a_piece_that_is_cut_short_is_there_or_not_and_is_not_kept_for_ever(app: TestApp) {
        let (image, mut cuts) = (Bytes::from(vec![7; 300_000]), 0);
        loop {
            let (actor, id) = (publisher(&app), begin(&app, 300_000).await);
            let work = grow_upload(&app.operations, &actor, &id, 0, image.slice(..200_000));
            let whole = cut_after(cuts, work).await;
            // It goes on from where it says it is.
            let upload = loop {
                let at = show_upload(&app.operations, &actor, &id).await.unwrap().received;
                assert!([0, 200_000].contains(&at), "{at}");
                let rest = image.slice(at as usize..);
                match grow_upload(&app.operations, &actor, &id, at, rest).await {
                    // What was cut off was written meanwhile.
                    Err(OperationError::Refused(Refusal::UploadOffset { .. })) => {}
                    grown => break grown.unwrap(),
                }
            };
            assert_eq!(upload.received, 300_000);
            nothing_is_left(&app, &format!("a piece cut after {cuts}")).await;
            if whole.is_some() {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 2, "it was cut {cuts} times");
    }

    async fn an_upload_that_is_forgotten_by_half_is_forgotten_later_or_begun_anew(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        let image = Bytes::from(firmware.image.clone());
        let send = async || {
            let (actor, sha256) = (publisher(&app), Some(firmware.sha256()));
            let upload = begin_upload(&app.operations, &actor, 100_000, sha256).await.unwrap();
            for (from, to) in [(0, 70_000), (70_000, 100_000)] {
                let at = upload.received.max(from);
                if at < to {
                    let bytes = image.slice(at as usize..to as usize);
                    grow_upload(&app.operations, &actor, &upload.id, at, bytes).await.unwrap();
                }
            }
            upload.id
        };
        let (actor, client, mut cuts) = (publisher(&app), app.publisher().await, 0);
        loop {
            let id = send().await;
            let whole = cut_after(cuts, cancel_upload(&app.operations, &actor, &id)).await;
            settle(&app).await;
            // Its pieces go before its name, by which what is left of them is found.
            let left = show_upload(&app.operations, &actor, &id).await;
            assert!(left.is_ok() || pieces(&app) == 0, "cut after {cuts}");
            if cuts % 2 == 0 {
                assert!(publish(&app, &client, &send().await).await < 300, "cut after {cuts}");
            }
            nothing_is_left(&app, &format!("forgetting cut after {cuts}")).await;
            if whole.is_some() {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 2, "it was cut {cuts} times");
    }

    async fn a_release_that_is_cut_short_leaves_no_pieces(app: TestApp) {
        app.create_product("clock", "device").await;
        let image = Bytes::from(app.firmware("clock", "1.0.5", 1).image);
        let (client, mut cuts) = (app.publisher().await, 0);
        loop {
            let (actor, id) = (publisher(&app), begin(&app, 100_000).await);
            grow_upload(&app.operations, &actor, &id, 0, image.clone()).await.unwrap();
            let whole = cut_after(cuts, publish(&app, &client, &id)).await;
            nothing_is_left(&app, &format!("publishing cut after {cuts}")).await;
            if let Some(status) = whole {
                assert!(status < 300, "{status}");
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 2, "it was cut {cuts} times");
    }

    async fn a_piece_that_nobody_took_is_not_kept(app: TestApp) {
        let (actor, id) = (publisher(&app), begin(&app, 9).await);
        let grow = |bytes: &'static [u8]| {
            grow_upload(&app.operations, &actor, &id, 0, Bytes::from_static(bytes))
        };
        // Both find the upload at 0, and one is faster.
        let (first, second) = tokio::join!(grow(b"123"), grow(b"456"));
        assert!(first.is_ok() != second.is_ok());
        assert_eq!(pieces(&app), 1);
        let (lost, cancelled) = tokio::join!(
            grow_upload(&app.operations, &actor, &id, 3, Bytes::from_static(b"789")),
            cancel_upload(&app.operations, &actor, &id),
        );
        cancelled.unwrap();
        trim(&app.operations).await.unwrap();
        assert_eq!(pieces(&app), 0, "{lost:?}");
    }

    async fn pieces_of_no_upload_are_swept(app: TestApp) {
        let (actor, id) = (publisher(&app), begin(&app, 9).await);
        grow_upload(&app.operations, &actor, &id, 0, Bytes::from_static(b"123")).await.unwrap();
        let orphan = app.image_folder().join("uploads/somebody");
        fs::create_dir(&orphan).unwrap();
        fs::write(orphan.join("000000000000-000000000003-1"), b"123").unwrap();
        assert_eq!(trim(&app.operations).await.unwrap(), 1);
        assert!(!orphan.exists());
        assert_eq!((pieces(&app), trim(&app.operations).await.unwrap()), (1, 0));
    }
}

/// The release is there: that its upload is not forgotten makes it no failure.
#[tokio::test]
async fn a_release_is_published_even_if_its_upload_is_not_forgotten_on_sqlite() {
    let app = TestApp::start(Database::Sqlite).await;
    app.create_product("clock", "device").await;
    let image = Bytes::from(app.firmware("clock", "1.0.5", 1).image);
    let (actor, id) = (publisher(&app), begin(&app, 100_000).await);
    grow_upload(&app.operations, &actor, &id, 0, image).await.unwrap();
    let database = rusqlite::Connection::open(app.image_folder().with_file_name("otaru.db"));
    let database = database.unwrap();
    let fail = "CREATE TRIGGER keep BEFORE DELETE ON uploads BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.execute_batch(fail).unwrap();
    assert_eq!(publish(&app, &app.admin(), &id).await, 201);
    database.execute_batch("DROP TRIGGER keep").unwrap();
    nothing_is_left(&app, "what was not forgotten").await;
    app.admin().get(&format!("{RELEASES}/1.0.5")).await.expect_status(200);
}
