//! Devices whose shadows the commit under way is about: read many at a time.

use std::collections::HashMap;
use std::sync::LazyLock;

use otaru_wire::ThingName;

use crate::{
    DeviceRow, StoreError,
    connection::Connection,
    queries::device_columns,
    row_sets::{Statements, placeholders},
    value::{FromRow, Value},
};

static READ: LazyLock<Statements> = LazyLock::new(|| Statements::new(read_sql));

/// What was read ahead and has not changed since.
#[derive(Default)]
pub(crate) struct DeviceCache {
    rows: HashMap<ThingName, Option<DeviceRow>>,
}

impl DeviceCache {
    /// The device of that name, if it is known here whether there is one.
    pub(crate) fn get(&self, thing: &ThingName) -> Option<Option<&DeviceRow>> {
        self.rows.get(thing).map(Option::as_ref)
    }

    /// Reads those of the devices that are not known yet.
    pub(crate) fn read_ahead<'t>(
        &mut self,
        connection: &mut Connection,
        things: impl Iterator<Item = &'t ThingName>,
    ) -> Result<(), StoreError> {
        let mut missing: Vec<&ThingName> =
            things.filter(|thing| !self.rows.contains_key(*thing)).collect();
        missing.sort_unstable();
        missing.dedup();
        for (sql, part) in READ.in_parts(&missing) {
            let keys: Vec<Value> = part.iter().map(|thing| thing.as_str().into()).collect();
            let rows = connection.query(sql, &keys)?;
            let rows: Result<Vec<DeviceRow>, _> =
                rows.into_iter().map(|mut row| DeviceRow::from_row(&mut row)).collect();
            // One that cannot be read is left to the work that asks for it.
            let Ok(rows) = rows else { continue };
            self.rows.extend(part.iter().map(|thing| (ThingName::clone(thing), None)));
            self.rows.extend(rows.into_iter().map(|row| (row.thing.clone(), Some(row))));
        }
        Ok(())
    }

    /// Something about devices has changed, or has been undone.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }
}

fn read_sql(rows: usize) -> String {
    let (columns, things) = (device_columns!(), placeholders(rows, 1));
    format!("SELECT {columns} FROM devices WHERE thing IN (VALUES {things}) FOR UPDATE")
}
