//! The audit log: who changed what, what it was and what it became, and from where.
//!
//! An entry is written in the transaction of its change, by `Database::audited` or, deep inside
//! other work, by [`note`]. How it is hashed and checked is in `contract/wire` `audit.rs`.

mod entry;
mod origin;
mod plain;
mod reading;
mod who;

use otaru_store::{AuditRow, StoreError, Tx};
use otaru_wire::audit::START;

use crate::objects::AuditEntryObject;
pub(crate) use entry::{Entries, Entry, Object, named_in};
pub use origin::Origin;
pub use reading::{
    AuditQuery, AuditReport, AuditState, export_audit, list_audit, may_read_audit, verify_audit,
};
pub(crate) use who::Who;

/// Notes an entry, if there is one.
pub(crate) fn note_if(tx: &mut Tx<'_>, entry: Option<Entry>, now: i64) -> Result<(), StoreError> {
    entry.map_or(Ok(()), |entry| note(tx, entry, now))
}

/// Appends an entry to its log.
pub(crate) fn note(tx: &mut Tx<'_>, entry: Entry, now: i64) -> Result<(), StoreError> {
    let Entry { who, action, object, before, after } = entry;
    let name = who.name_in(tx)?;
    let Who { log, kind, id, person, origin, .. } = who;
    let head = otaru_store::audit_head(tx, &log)?;
    let (last, prev_hash) = match head {
        Some(head) => (head.sequence, head.hash),
        None => (0, START.to_string()),
    };
    let mut row = AuditRow {
        log: log.name().to_owned(),
        sequence: last + 1,
        at: now,
        actor_kind: kind.to_owned(),
        actor_id: id,
        actor_name: name,
        actor_person: person,
        action: action.to_owned(),
        object_kind: object.kind.to_owned(),
        object_id: object.id,
        object_name: object.name,
        before: before.map(plain::kept),
        after: after.map(plain::kept),
        address: origin.address.map(|address| address.to_canonical().to_string()),
        user_agent: origin.user_agent,
        request: origin.request,
        prev_hash,
        hash: String::new(),
    };
    row.hash = AuditEntryObject::from(row.clone()).computed_hash().to_string();
    otaru_store::append_audit_entry(tx, &row)
}
