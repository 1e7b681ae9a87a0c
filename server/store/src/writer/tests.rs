use std::sync::{Arc, Mutex};

use otaru_shadow::{Document, Rules, UpdateRequest};

use super::*;
use crate::{ShadowRow, connection::Address, value::params};

type Said = Arc<Mutex<Vec<(i64, bool)>>>;

/// Stores `number` with this many bytes beside it; `said` hears whether that was acknowledged.
fn store(number: i64, size_bytes: usize, said: &Said) -> Job {
    let (answered, refused) = (said.clone(), said.clone());
    Job {
        shadow: None,
        run: Box::new(move |tx| {
            let stored = tx.execute(
                "INSERT INTO kept (number, bytes) VALUES ($1, $2)",
                params![number, vec![0_u8; size_bytes]],
            );
            Attempt {
                keep: stored.is_ok(),
                answer: Box::new(move |committed| {
                    let is_done = stored.and(committed.map(|()| 1)).is_ok();
                    answered.lock().unwrap().push((number, is_done));
                }),
            }
        }),
        refuse: Box::new(move |_| refused.lock().unwrap().push((number, false))),
    }
}

/// SQLite takes the whole transaction back when a write finds the disk full, not only the
/// statement: whoever shared the commit must hear that nothing of theirs is there.
#[test]
fn on_a_full_disk_what_is_acknowledged_is_stored_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Sqlite(folder.path().join("full.db"));
    let mut connection = address.writer().unwrap();
    connection.batch("CREATE TABLE kept (number INTEGER PRIMARY KEY, bytes BLOB)").unwrap();
    // The disk has room for 32 pages of 4 KiB.
    connection.batch("PRAGMA max_page_count = 32").unwrap();
    let (sender, jobs) = mpsc::channel(16);
    let (notices, mut told) = mpsc::unbounded_channel();
    let said = Said::default();
    for (number, size_bytes) in [(1, 10), (2, 1_000_000), (3, 10), (4, 10)] {
        assert!(sender.try_send(store(number, size_bytes, &said)).is_ok());
    }
    drop(sender);
    Writer::new(address.clone(), connection, jobs, notices, Standing::default()).run();

    let said = said.lock().unwrap();
    assert_eq!(said.len(), 4, "{said:?}");
    let mut reader = address.reader().unwrap();
    let rows = reader.query("SELECT number FROM kept ORDER BY number", params![]).unwrap();
    let stored: Vec<i64> = rows.into_iter().map(|mut row| row.int("number").unwrap()).collect();
    let mut acknowledged: Vec<i64> =
        said.iter().filter(|(_, is_done)| *is_done).map(|(number, _)| *number).collect();
    acknowledged.sort_unstable();
    assert_eq!(stored, acknowledged);
    // The disk is full for large work only: what came after went into a commit of its own.
    assert_eq!(stored, [3, 4]);
    assert!(told.try_recv().is_err());
}

/// Leaves a shadow of 7 KB to be written with the commit.
fn put_large_shadow(number: i64, said: &Said) -> Job {
    let (answered, refused) = (said.clone(), said.clone());
    let rules = Rules::default();
    let text = format!(r#"{{"state":{{"reported":{{"large":"{}"}}}}}}"#, "x".repeat(7_000));
    let request = UpdateRequest::parse(text.as_bytes(), &rules).unwrap();
    let document = Document::apply(None, &request, 9, &rules).unwrap();
    let shadow = ShadowId::classic(format!("thing-{number}").parse().unwrap());
    let row = ShadowRow { shadow, organisation: "org-1".parse().unwrap(), document };
    Job {
        shadow: None,
        run: Box::new(move |tx| {
            let stored = tx.put_shadow(row, 1);
            Attempt {
                keep: stored.is_ok(),
                answer: Box::new(move |committed| {
                    let is_done = stored.and(committed).is_ok();
                    answered.lock().unwrap().push((number, is_done));
                }),
            }
        }),
        refuse: Box::new(move |_| refused.lock().unwrap().push((number, false))),
    }
}

/// What was left to be written together fails together.
#[test]
fn shadows_that_find_the_disk_full_are_acknowledged_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Sqlite(folder.path().join("full.db"));
    let mut connection = address.writer().unwrap();
    let table = "CREATE TABLE shadows (thing TEXT, name TEXT, organisation TEXT, document TEXT,
        version BIGINT, deleted BIGINT, updated_at BIGINT, PRIMARY KEY (thing, name))";
    connection.batch(table).unwrap();
    connection.batch("PRAGMA max_page_count = 32").unwrap();
    let (sender, jobs) = mpsc::channel(64);
    let (notices, mut told) = mpsc::unbounded_channel();
    let said = Said::default();
    for number in 0..40 {
        assert!(sender.try_send(put_large_shadow(number, &said)).is_ok());
    }
    drop(sender);
    Writer::new(address.clone(), connection, jobs, notices, Standing::default()).run();

    let said = said.lock().unwrap();
    assert_eq!(*said, (0..40).map(|number| (number, false)).collect::<Vec<_>>());
    let mut reader = address.reader().unwrap();
    let rows = reader.query("SELECT thing FROM shadows", params![]).unwrap();
    assert!(rows.is_empty());
    assert!(told.try_recv().is_err());
}
