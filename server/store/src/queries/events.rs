use crate::{
    EventRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for EventRow {
    fn from_row(row: &mut Row) -> Result<EventRow, StoreError> {
        Ok(EventRow {
            id: row.int("events.id")?,
            organisation: row.parsed("events.organisation")?,
            owner: row.opt_text("events.owner")?,
            others: Vec::new(),
            kind: row.text("events.kind")?,
            body: row.text("events.body")?,
            created_at: row.int("events.created_at")?,
        })
    }
}

/// Appends to the event log and returns the entry with its id. `others` are the people it
/// concerns beside the owner.
pub fn insert_event(
    tx: &mut Tx<'_>,
    scope: &Scope,
    owner: Option<&str>,
    others: &[String],
    kind: &str,
    body: &str,
    now: i64,
) -> Result<EventRow, StoreError> {
    let entry: Option<EventRow> = tx.first(
        "INSERT INTO events (organisation, owner, kind, body, created_at)
         VALUES ($1, $2, $3, $4, $5) RETURNING id, organisation, owner, kind, body, created_at",
        params![scope.organisation().as_str(), owner, kind, body, now],
    )?;
    let mut entry = entry.ok_or_else(|| StoreError::corrupt("events", "nothing returned"))?;
    for person in others {
        tx.execute(
            "INSERT INTO event_people (person, event) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![person, entry.id],
        )?;
    }
    entry.others = others.to_vec();
    Ok(entry)
}

/// Entries after `after`, oldest first: of the organisation, or only what concerns one person.
/// Whom else an entry concerns is not read.
pub fn events(
    tx: &mut Tx<'_>,
    scope: &Scope,
    person: Option<&str>,
    after: i64,
    limit: u32,
) -> Result<Vec<EventRow>, StoreError> {
    let organisation = scope.organisation().as_str();
    // Two statements, so that each finds its index in a log of a whole fleet.
    match person {
        None => tx.all(
            "SELECT id, organisation, owner, kind, body, created_at FROM events
             WHERE organisation = $1 AND id > $2 ORDER BY id LIMIT $3",
            params![organisation, after, limit],
        ),
        Some(person) => tx.all(
            "SELECT id, organisation, owner, kind, body, created_at FROM events
             WHERE organisation = $1 AND id IN (
                 SELECT id FROM events WHERE owner = $2 AND id > $3
                 UNION SELECT event FROM event_people WHERE person = $2 AND event > $3)
             ORDER BY id LIMIT $4",
            params![organisation, person, after, limit],
        ),
    }
}

/// The id of the organisation's newest entry, 0 when it has none.
pub fn last_event_id(tx: &mut Tx<'_>, scope: &Scope) -> Result<i64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT coalesce(max(id), 0) FROM events WHERE organisation = $1",
        params![scope.organisation().as_str()],
    )?;
    Ok(found.unwrap_or(0))
}

/// Drops entries older than `before`, the oldest ones first, so many at most; returns how many.
pub fn trim_events(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    before: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at < $1
             ORDER BY created_at LIMIT $2)",
        params![before, limit],
    )
}
