use otaru_wire::{ProductName, ReleaseVersion, ThingName};

use crate::{
    OfferRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for OfferRow {
    fn from_row(row: &mut Row) -> Result<OfferRow, StoreError> {
        Ok(OfferRow {
            thing: row.parsed("offers.thing")?,
            organisation: row.parsed("offers.organisation")?,
            version: row.parsed("offers.version")?,
            offered_at: row.int("offers.offered_at")?,
            reminders: row.unsigned("offers.reminders")? as u32,
            due_at: row.opt_int("offers.due_at")?,
        })
    }
}

/// What the device was offered last, if its owner has not decided about it.
pub fn offer(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Option<OfferRow>, StoreError> {
    tx.first(
        "SELECT thing, organisation, version, offered_at, reminders, due_at FROM offers
         WHERE organisation = $1 AND thing = $2",
        params![scope.organisation().as_str(), thing.as_str()],
    )
}

/// Remembers what a device is offered, in place of what it was offered before.
pub fn put_offer(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    version: &ReleaseVersion,
    offered_at: i64,
    reminders: u32,
    due_at: Option<i64>,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO offers (thing, organisation, version, offered_at, reminders, due_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (thing) DO UPDATE SET organisation = excluded.organisation,
             version = excluded.version, offered_at = excluded.offered_at,
             reminders = excluded.reminders, due_at = excluded.due_at",
        params![
            thing.as_str(),
            scope.organisation().as_str(),
            version.as_str(),
            offered_at,
            reminders,
            due_at
        ],
    )?;
    Ok(())
}

/// Forgets what a device was offered: somebody decided, or nobody owns it.
pub fn remove_offer(tx: &mut Tx<'_>, scope: &Scope, thing: &ThingName) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM offers WHERE organisation = $1 AND thing = $2",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(())
}

/// Makes offers of this release due now: it is not what can be installed any more.
pub fn look_again_at_offers(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE offers SET due_at = $4 WHERE organisation = $1 AND version = $3
             AND thing IN (SELECT thing FROM devices WHERE organisation = $1 AND product = $2)",
        params![scope.organisation().as_str(), product.as_str(), version.as_str(), now],
    )?;
    Ok(())
}

/// Offers that must be looked at again, of every organisation.
pub fn due_offers(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    now: i64,
    limit: u32,
) -> Result<Vec<OfferRow>, StoreError> {
    tx.all(
        "SELECT thing, organisation, version, offered_at, reminders, due_at FROM offers
         WHERE due_at <= $1 ORDER BY due_at LIMIT $2",
        params![now, limit],
    )
}
