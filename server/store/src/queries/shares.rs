use otaru_wire::ThingName;

use super::devices::{device_columns, select_devices};
use crate::{
    DeviceRow, Scope, ShareRow, StoreError, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for ShareRow {
    fn from_row(row: &mut Row) -> Result<ShareRow, StoreError> {
        Ok(ShareRow {
            person: row.text("shares.person")?,
            email: row.text("users.email")?,
            since: row.int("shares.since")?,
        })
    }
}

/// Shares a device with a person; again changes nothing.
pub fn insert_share(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    person: &str,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO shares (thing, person, organisation, since) VALUES ($1, $2, $3, $4)
         ON CONFLICT (thing, person) DO NOTHING",
        params![thing.as_str(), person, scope.organisation().as_str(), now],
    )?;
    Ok(())
}

/// Ends the sharing of a device with a person; false when it was not shared with them.
pub fn remove_share(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    person: &str,
) -> Result<bool, StoreError> {
    let removed = tx.execute(
        "DELETE FROM shares WHERE organisation = $1 AND thing = $2 AND person = $3",
        params![scope.organisation().as_str(), thing.as_str(), person],
    )?;
    Ok(removed > 0)
}

/// People a device is shared with, by address.
pub fn shares(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Vec<ShareRow>, StoreError> {
    tx.all(
        "SELECT shares.person, users.email, shares.since FROM shares
         JOIN users ON users.id = shares.person
         WHERE shares.organisation = $1 AND shares.thing = $2 ORDER BY users.email",
        params![scope.organisation().as_str(), thing.as_str()],
    )
}

/// Since when a device is shared with a person, if it is.
pub fn shared_since(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    person: &str,
) -> Result<Option<i64>, StoreError> {
    tx.first(
        "SELECT since FROM shares WHERE organisation = $1 AND thing = $2 AND person = $3",
        params![scope.organisation().as_str(), thing.as_str(), person],
    )
}

/// A person's own devices and those shared with them, by name.
pub fn devices_of_person(
    tx: &mut Tx<'_>,
    scope: &Scope,
    person: &str,
) -> Result<Vec<DeviceRow>, StoreError> {
    tx.all(
        select_devices!(
            "WHERE organisation = $1 AND thing IN (
                 SELECT thing FROM devices WHERE owner = $2
                 UNION SELECT thing FROM shares WHERE person = $2)
             ORDER BY thing"
        ),
        params![scope.organisation().as_str(), person],
    )
}
