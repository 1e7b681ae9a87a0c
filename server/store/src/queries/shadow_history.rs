use otaru_wire::ShadowId;

use crate::{
    Scope, ShadowChangeRow, StoreError, SystemScope, Tx,
    shadow_history::unpacked,
    value::{FromRow, Row, params},
};

/// What one commit did to a shadow.
struct Changes(Vec<ShadowChangeRow>);

impl FromRow for Changes {
    fn from_row(row: &mut Row) -> Result<Changes, StoreError> {
        let lines = row.text("shadow_history.changes")?;
        let changes = unpacked(&lines);
        changes.map(Changes).ok_or_else(|| StoreError::corrupt("shadow_history.changes", lines))
    }
}

/// Notes what the shadow's newest version, just put, changed; the `kept` newest are kept.
/// Another organisation's shadow has its own history.
pub fn put_shadow_change(
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
    change: ShadowChangeRow,
    kept: u32,
) -> Result<(), StoreError> {
    match tx.known_shadow(shadow).flatten() {
        Some(row) if row.organisation == *scope.organisation() => {
            tx.put_shadow_change(shadow, change, kept)
        }
        _ => Ok(()),
    }
}

/// The last `kept` versions of a shadow that are below `below`, newest first; at most `limit`.
pub fn shadow_history(
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
    below: Option<u64>,
    kept: u32,
    limit: u32,
) -> Result<Vec<ShadowChangeRow>, StoreError> {
    let name = shadow.name.as_ref().map_or("", |name| name.as_str());
    let rows: Vec<Changes> = tx.all(
        "SELECT changes FROM shadow_history
         JOIN shadows ON shadows.thing = shadow_history.thing AND shadows.name = shadow_history.name
         WHERE shadows.organisation = $1 AND shadow_history.thing = $2 AND shadow_history.name = $3
         ORDER BY shadow_history.version DESC",
        params![scope.organisation().as_str(), shadow.thing.as_str(), name],
    )?;
    let changes = rows.into_iter().flat_map(|Changes(changes)| changes);
    // A row holds more than is kept while it is one of several of many changes each.
    let changes = changes.take(kept as usize);
    let changes = changes.filter(|change| below.is_none_or(|below| change.version < below));
    Ok(changes.take(limit as usize).collect())
}

/// A row of history that nobody sees any more since fewer versions of each shadow are kept, and
/// that no new version takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurplusHistory {
    thing: String,
    name: String,
    slot: u64,
    version: u64,
}

impl FromRow for SurplusHistory {
    fn from_row(row: &mut Row) -> Result<SurplusHistory, StoreError> {
        Ok(SurplusHistory {
            thing: row.text("shadow_history.thing")?,
            name: row.text("shadow_history.name")?,
            slot: row.unsigned("shadow_history.slot")?,
            version: row.unsigned("shadow_history.version")?,
        })
    }
}

/// The first rows that are too many when `kept` versions of each shadow are kept; at most `limit`.
/// Looks at every row of history until it has found them: for a reader, and seldom.
pub fn surplus_shadow_history(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    kept: u32,
    limit: u32,
) -> Result<Vec<SurplusHistory>, StoreError> {
    tx.all(
        "SELECT thing, name, slot, version FROM shadow_history
         WHERE slot >= $1 AND version + $1 <= (
             SELECT version FROM shadows
             WHERE shadows.thing = shadow_history.thing AND shadows.name = shadow_history.name)
         LIMIT $2",
        params![kept, limit],
    )
}

/// Drops rows that [`surplus_shadow_history`] found, but for those that were written since.
pub fn drop_shadow_history(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    surplus: &[SurplusHistory],
) -> Result<u64, StoreError> {
    let mut dropped = 0;
    for SurplusHistory { thing, name, slot, version } in surplus {
        dropped += tx.execute(
            "DELETE FROM shadow_history
             WHERE thing = $1 AND name = $2 AND slot = $3 AND version = $4",
            params![thing.as_str(), name.as_str(), *slot, *version],
        )?;
    }
    Ok(dropped)
}
