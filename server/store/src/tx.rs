use std::sync::Arc;

use otaru_wire::{ShadowId, ThingName};

use crate::{
    DeviceRow, Notice, ShadowChangeRow, ShadowRow, StoreError,
    connection::Connection,
    device_cache::DeviceCache,
    shadow_cache::ShadowCache,
    shadow_history::ShadowHistory,
    standing::changes_standing,
    value::{FromRow, Value},
};

/// One atomic piece of work on the database.
///
/// Dropping out of the closure with an error undoes everything it did,
/// its [`Notice`]s included.
pub struct Tx<'c> {
    connection: &'c mut Connection,
    pub(crate) notices: Vec<Notice>,
    /// Of the commit this is part of; a reader has none.
    caches: Option<&'c mut Caches>,
    pub(crate) savepoint: Savepoint,
    /// As [`changes_standing`], of a statement so far.
    pub(crate) changes_standing: bool,
}

/// What one commit has read, or is to write.
#[derive(Default)]
pub(crate) struct Caches {
    pub(crate) shadows: ShadowCache,
    pub(crate) history: ShadowHistory,
    pub(crate) devices: DeviceCache,
}

impl Caches {
    /// Writes what the database does not have yet.
    pub(crate) fn flush(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        self.shadows.flush(connection)?;
        self.history.flush(connection)
    }

    /// For the next commit.
    pub(crate) fn clear(&mut self) {
        self.shadows.clear();
        self.history.clear();
        self.devices.clear();
    }

    /// The piece of work under way stands.
    pub(crate) fn keep(&mut self) {
        self.shadows.keep();
        self.history.keep();
    }

    /// The piece of work under way is undone.
    pub(crate) fn undo(&mut self) {
        self.shadows.undo();
        self.history.undo();
        self.devices.clear();
    }
}

/// What the database goes back to when the work fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Savepoint {
    /// A reader changes nothing.
    Needless,
    /// Not set yet: much work never asks the database anything.
    Due,
    Set,
    /// It could not be set: the whole transaction is lost.
    Failed,
}

impl<'c> Tx<'c> {
    /// Reads, within a transaction of its own.
    pub(crate) fn reading(connection: &'c mut Connection) -> Tx<'c> {
        let savepoint = Savepoint::Needless;
        Tx { connection, notices: Vec::new(), caches: None, savepoint, changes_standing: false }
    }

    /// Writes, as one of those that share a commit.
    pub(crate) fn writing(connection: &'c mut Connection, caches: &'c mut Caches) -> Tx<'c> {
        let savepoint = Savepoint::Due;
        Tx {
            connection,
            notices: Vec::new(),
            caches: Some(caches),
            savepoint,
            changes_standing: false,
        }
    }

    /// Tells others `notice` once this work is durable; never before, and in commit order.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        refuse_nul(params)?;
        self.before(sql)?;
        self.connection.execute(sql, params)
    }

    pub(crate) fn all<R: FromRow>(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<R>, StoreError> {
        self.before(sql)?;
        self.query(sql, params)
    }

    fn query<R: FromRow>(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<R>, StoreError> {
        refuse_nul(params)?;
        self.set_savepoint()?;
        let rows = self.connection.query(sql, params)?;
        rows.into_iter().map(|mut row| R::from_row(&mut row)).collect()
    }

    pub(crate) fn first<R: FromRow>(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<R>, StoreError> {
        Ok(self.all(sql, params)?.into_iter().next())
    }

    /// A shadow's row: of this commit, else what `sql` finds.
    pub(crate) fn shadow(
        &mut self,
        shadow: &ShadowId,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<ShadowRow>, StoreError> {
        if let Some(known) = self.known_shadow(shadow) {
            return Ok(known.map(|row| ShadowRow::clone(&row)));
        }
        // It has not changed in this commit, or it would be known.
        let row: Option<ShadowRow> = self.query(sql, params)?.into_iter().next();
        if let Some(caches) = &mut self.caches {
            caches.shadows.remember(shadow, row.clone());
        }
        Ok(row)
    }

    /// The shadow's row, if it is known in this commit whether there is one.
    pub(crate) fn known_shadow(&self, shadow: &ShadowId) -> Option<Option<Arc<ShadowRow>>> {
        self.caches.as_ref()?.shadows.get(shadow)
    }

    /// The device of that name, if it is known in this commit whether there is one.
    pub(crate) fn known_device(&self, thing: &ThingName) -> Option<Option<DeviceRow>> {
        self.caches.as_ref()?.devices.get(thing).map(|device| device.cloned())
    }

    /// Writes a shadow's row with the commit.
    pub(crate) fn put_shadow(&mut self, row: ShadowRow, now: i64) -> Result<(), StoreError> {
        self.writing_caches()?.shadows.put(row, now);
        Ok(())
    }

    /// Writes a version of a shadow into its history with the commit.
    pub(crate) fn put_shadow_change(
        &mut self,
        shadow: &ShadowId,
        change: ShadowChangeRow,
        kept: u32,
    ) -> Result<(), StoreError> {
        self.writing_caches()?.history.put(shadow, change, kept);
        Ok(())
    }

    fn writing_caches(&mut self) -> Result<&mut Caches, StoreError> {
        let caches = self.caches.as_deref_mut();
        caches.ok_or_else(|| StoreError::unavailable("a reader cannot write"))
    }

    /// What the statement looks at must be in the database, and what it changes not be known
    /// otherwise.
    fn before(&mut self, sql: &str) -> Result<(), StoreError> {
        self.set_savepoint()?;
        let Some(caches) = &mut self.caches else { return Ok(()) };
        let changes = !sql.trim_start().starts_with("SELECT");
        self.changes_standing |= changes && changes_standing(sql);
        if sql.contains(SHADOWS) {
            caches.shadows.flush(self.connection)?;
            if changes {
                caches.shadows.forget();
            }
        }
        if sql.contains(SHADOW_HISTORY) {
            caches.history.flush(self.connection)?;
        }
        if changes && sql.contains(DEVICES) {
            caches.devices.clear();
        }
        Ok(())
    }

    fn set_savepoint(&mut self) -> Result<(), StoreError> {
        if self.savepoint != Savepoint::Due {
            return Ok(());
        }
        let set = self.connection.batch("SAVEPOINT job");
        self.savepoint = if set.is_ok() { Savepoint::Set } else { Savepoint::Failed };
        set
    }
}

/// Tables of which a commit caches rows.
const SHADOWS: &str = "shadows";
const DEVICES: &str = "devices";
const SHADOW_HISTORY: &str = "shadow_history";

/// Here and not at each edge: whatever text comes from outside, nobody has to remember it.
fn refuse_nul(params: &[Value]) -> Result<(), StoreError> {
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    if params.iter().any(has_nul) { Err(StoreError::NulInText) } else { Ok(()) }
}

/// A single number, for `count(*)` and `RETURNING id`.
impl FromRow for i64 {
    fn from_row(row: &mut crate::value::Row) -> Result<i64, StoreError> {
        row.int("number")
    }
}

/// A single text.
impl FromRow for String {
    fn from_row(row: &mut crate::value::Row) -> Result<String, StoreError> {
        row.text("text")
    }
}
