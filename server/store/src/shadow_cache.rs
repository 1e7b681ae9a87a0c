//! Shadows of the commit under way: read and written many at a time.
//!
//! Thousands of shadow updates share one commit. Row by row each would cost a database behind a
//! network several round trips, and all of them together the time of the one thread that writes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use otaru_wire::ShadowId;

use crate::{
    ShadowRow, StoreError,
    connection::Connection,
    row_sets::{Statements, placeholders},
    value::{FromRow, Value},
};

static READ: LazyLock<Statements> = LazyLock::new(|| Statements::new(read_sql));
static WRITE: LazyLock<Statements> = LazyLock::new(|| Statements::new(write_sql));

/// What this commit has read and not yet written.
#[derive(Default)]
pub(crate) struct ShadowCache {
    entries: HashMap<ShadowId, Entry>,
    /// What the piece of work under way found where it wrote, newest last.
    undo: Vec<(ShadowId, Option<Entry>)>,
    /// What was written to the database within the piece of work under way.
    flushed: Vec<ShadowId>,
}

#[derive(Clone)]
struct Entry {
    /// `None` when there is no such row.
    row: Option<Arc<ShadowRow>>,
    updated_at: i64,
    /// Newer than the database.
    is_changed: bool,
}

impl ShadowCache {
    /// The shadow's row, if it is known here whether there is one.
    pub(crate) fn get(&self, shadow: &ShadowId) -> Option<Option<Arc<ShadowRow>>> {
        self.entries.get(shadow).map(|entry| entry.row.clone())
    }

    /// Keeps what the database said.
    pub(crate) fn remember(&mut self, shadow: &ShadowId, row: Option<ShadowRow>) {
        let entry = Entry { row: row.map(Arc::new), updated_at: 0, is_changed: false };
        self.entries.insert(shadow.clone(), entry);
    }

    /// Takes a row that is to be written with the commit.
    pub(crate) fn put(&mut self, row: ShadowRow, now: i64) {
        let shadow = row.shadow.clone();
        let entry = Entry { row: Some(Arc::new(row)), updated_at: now, is_changed: true };
        let before = self.entries.insert(shadow.clone(), entry);
        self.undo.push((shadow, before));
    }

    /// Reads those of the shadows that are not known yet.
    pub(crate) fn read_ahead<'s>(
        &mut self,
        connection: &mut Connection,
        shadows: impl Iterator<Item = &'s ShadowId>,
    ) -> Result<(), StoreError> {
        let mut missing: Vec<&ShadowId> =
            shadows.filter(|shadow| !self.entries.contains_key(*shadow)).collect();
        missing.sort_unstable();
        missing.dedup();
        for (sql, part) in READ.in_parts(&missing) {
            let keys = part.iter().flat_map(|shadow| key(shadow));
            let rows = connection.query(sql, &keys.collect::<Vec<_>>())?;
            let rows: Result<Vec<ShadowRow>, _> =
                rows.into_iter().map(|mut row| ShadowRow::from_row(&mut row)).collect();
            // One that cannot be read is left to the work that asks for it.
            let Ok(rows) = rows else { continue };
            part.iter().for_each(|shadow| self.remember(shadow, None));
            rows.into_iter().for_each(|row| self.remember(&row.shadow.clone(), Some(row)));
        }
        Ok(())
    }

    /// Writes what is newer here than in the database.
    pub(crate) fn flush(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let changed = self.entries.iter().filter(|(_, entry)| entry.is_changed);
        let mut changed: Vec<&ShadowId> = changed.map(|(shadow, _)| shadow).collect();
        // In one order, whatever the map's: two writers could otherwise wait for each other.
        changed.sort_unstable();
        let changed: Vec<ShadowId> = changed.into_iter().cloned().collect();
        for (sql, part) in WRITE.in_parts(&changed) {
            let columns = part.iter().flat_map(|shadow| self.columns(shadow));
            connection.execute(sql, &columns.collect::<Vec<_>>())?;
        }
        for shadow in &changed {
            if let Some(entry) = self.entries.get_mut(shadow) {
                entry.is_changed = false;
            }
        }
        self.flushed.extend(changed);
        Ok(())
    }

    fn columns(&self, shadow: &ShadowId) -> Vec<Value> {
        let entry = self.entries.get(shadow);
        let Some((row, entry)) = entry.and_then(|entry| Some((entry.row.as_ref()?, entry))) else {
            return Vec::new();
        };
        let [thing, name] = key(shadow);
        vec![
            thing,
            name,
            row.organisation.as_str().into(),
            row.document.to_stored().into(),
            row.document.version().into(),
            row.document.is_deleted().into(),
            entry.updated_at.into(),
        ]
    }

    /// Somebody else changed rows: what is known here may be true no more. Flushed before.
    pub(crate) fn forget(&mut self) {
        let known = self.entries.drain().map(|(shadow, entry)| (shadow, Some(entry)));
        self.undo.extend(known);
    }

    /// For the next commit: what was newer here has been written, or is lost with its transaction.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.keep();
    }

    /// The piece of work under way stands.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
        self.flushed.clear();
    }

    /// The piece of work under way is undone, and so is what it made the database write.
    pub(crate) fn undo(&mut self) {
        while let Some((shadow, before)) = self.undo.pop() {
            match before {
                Some(before) => self.entries.insert(shadow, before),
                None => self.entries.remove(&shadow),
            };
        }
        for shadow in std::mem::take(&mut self.flushed) {
            if let Some(entry) = self.entries.get_mut(&shadow) {
                entry.is_changed = entry.row.is_some();
            }
        }
    }
}

/// The primary key: the classic shadow has no name.
pub(crate) fn key(shadow: &ShadowId) -> [Value; 2] {
    let name = shadow.name.as_ref().map_or("", |name| name.as_str());
    [shadow.thing.as_str().into(), name.into()]
}

fn read_sql(rows: usize) -> String {
    format!(
        "SELECT thing, name, organisation, document FROM shadows
         WHERE (thing, name) IN (VALUES {}) FOR UPDATE",
        placeholders(rows, 2)
    )
}

/// Another organisation's shadow stays as it is.
fn write_sql(rows: usize) -> String {
    format!(
        "INSERT INTO shadows (thing, name, organisation, document, version, deleted, updated_at)
         VALUES {}
         ON CONFLICT (thing, name) DO UPDATE SET document = excluded.document,
             version = excluded.version, deleted = excluded.deleted,
             updated_at = excluded.updated_at
         WHERE shadows.organisation = excluded.organisation",
        placeholders(rows, 7)
    )
}
