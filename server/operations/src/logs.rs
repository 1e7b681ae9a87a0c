//! What devices write about themselves.

use otaru_fleet::Permission;
use otaru_store::{Notice, Scope, StoreError, Tx};
use otaru_wire::{ThingName, payload::LogRecord};
use serde_json::json;

use crate::{Actor, App, LogObject, OperationError, Page, PageRequest, Reach, devices};

/// Most bytes kept of a payload that is no log record.
const UNREADABLE_BYTES: usize = 1_024;

/// Newest records kept of a device: one that cannot stop writing must not fill the disk.
const KEPT: u32 = 10_000;

/// Ids of log records between two looks at how many a device has.
const LOOK_EVERY: i64 = 256;

/// Stores the records of one payload of a device; returns once they are durable. The oldest
/// make room when a device has too many.
///
/// What cannot be read is stored as a warning that quotes it, so that nothing is lost and
/// its author can see what was wrong.
///
/// # Errors
/// [`StoreError`].
pub async fn store_logs(
    app: &App,
    scope: &Scope,
    thing: &ThingName,
    payload: &[u8],
) -> Result<(), StoreError> {
    let now = app.now_ms();
    let records: Vec<String> = match LogRecord::parse_payload(payload) {
        Ok(records) => records
            .iter()
            .map(|record| String::from_utf8_lossy(&record.to_json()).into_owned())
            .collect(),
        Err(error) => vec![unreadable(payload, &error.to_string(), now)],
    };
    let (scope, thing) = (scope.clone(), thing.clone());
    let work = move |tx: &mut Tx<'_>| {
        for record in &records {
            let id = otaru_store::insert_log(tx, &scope, &thing, record, now)?;
            if id % LOOK_EVERY == 0 {
                otaru_store::trim_logs_of_thing(tx, &scope, &thing, KEPT)?;
            }
        }
        let (organisation, added_to) = (scope.organisation().clone(), thing.clone());
        tx.notify(Notice::LogsAdded { organisation, thing: added_to });
        otaru_store::touch_device(tx, &scope, &thing, now)
    };
    app.inner.store.unaudited("a device's own log", work).await
}

fn unreadable(payload: &[u8], why: &str, now: i64) -> String {
    let quoted = String::from_utf8_lossy(&payload[..payload.len().min(UNREADABLE_BYTES)]);
    json!({
        "timestamp": now,
        "level": "WARN",
        "code": "LOG_UNREADABLE",
        "message": format!("log record could not be read: {why}"),
        "payload": quoted,
    })
    .to_string()
}

/// A device's records, oldest first; the cursor is the id of the last one seen.
///
/// # Errors
/// [`crate::Refusal::DeviceUnknown`], [`crate::Refusal::Forbidden`],
/// [`crate::Refusal::InvalidCursor`].
pub async fn list_logs(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    page: PageRequest,
) -> Result<Page<LogObject>, OperationError> {
    let (actor, limit, after) = (actor.clone(), page.limit()?, page.number(0)?);
    let work = move |tx: &mut Tx<'_>| {
        devices::reachable(tx, &actor, Reach::Fleet, &thing, Permission::ReadFleet)?;
        Ok::<_, OperationError>(otaru_store::logs(tx, &actor.scope, &thing, after, limit)?)
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.id.to_string(), LogObject::from))
}

/// The cursor before a device's `count` newest records, to follow the log from there.
///
/// # Errors
/// [`crate::Refusal::DeviceUnknown`], [`crate::Refusal::Forbidden`].
pub async fn follow_logs_from(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    count: u32,
) -> Result<i64, OperationError> {
    let actor = actor.clone();
    let work = move |tx: &mut Tx<'_>| {
        devices::reachable(tx, &actor, Reach::Fleet, &thing, Permission::ReadFleet)?;
        Ok::<_, OperationError>(otaru_store::log_tail(tx, &actor.scope, &thing, count)?)
    };
    app.inner.store.read(work).await
}
