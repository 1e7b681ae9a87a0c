use otaru_wire::ThingName;

use crate::{
    LogRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for LogRow {
    fn from_row(row: &mut Row) -> Result<LogRow, StoreError> {
        Ok(LogRow {
            id: row.int("logs.id")?,
            thing: row.parsed("logs.thing")?,
            received_at: row.int("logs.received_at")?,
            record: row.text("logs.record")?,
        })
    }
}

/// Stores one log record (JSON) and returns its id.
pub fn insert_log(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    record: &str,
    now: i64,
) -> Result<i64, StoreError> {
    let id = tx.first(
        "INSERT INTO logs (organisation, thing, received_at, record) VALUES ($1, $2, $3, $4)
         RETURNING id",
        params![scope.organisation().as_str(), thing.as_str(), now, record],
    )?;
    id.ok_or_else(|| StoreError::corrupt("logs", "nothing returned"))
}

/// A device's records after `after`, oldest first.
pub fn logs(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    after: i64,
    limit: u32,
) -> Result<Vec<LogRow>, StoreError> {
    tx.all(
        "SELECT id, thing, received_at, record FROM logs
         WHERE organisation = $1 AND thing = $2 AND id > $3 ORDER BY id LIMIT $4",
        params![scope.organisation().as_str(), thing.as_str(), after, limit],
    )
}

/// The id before a device's `count` newest records, to start a tail from: its newest one's if
/// none is wanted.
pub fn log_tail(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    count: u32,
) -> Result<i64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT coalesce(max(id), 0) FROM (SELECT id FROM logs
             WHERE organisation = $1 AND thing = $2 ORDER BY id DESC LIMIT 1 OFFSET $3) AS before",
        params![scope.organisation().as_str(), thing.as_str(), count],
    )?;
    Ok(found.unwrap_or(0))
}

/// Drops records older than `before`, the oldest ones first, so many at most; returns how many.
pub fn trim_logs(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    before: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM logs WHERE id IN (SELECT id FROM logs WHERE received_at < $1
             ORDER BY received_at LIMIT $2)",
        params![before, limit],
    )
}

/// Keeps only the `keep` newest records of a device; returns how many went.
pub fn trim_logs_of_thing(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    keep: u32,
) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM logs WHERE organisation = $1 AND thing = $2 AND id <= (
             SELECT coalesce(max(id), 0) FROM (SELECT id FROM logs
                 WHERE organisation = $1 AND thing = $2 ORDER BY id DESC LIMIT 1 OFFSET $3) AS kept)",
        params![scope.organisation().as_str(), thing.as_str(), keep],
    )
}
