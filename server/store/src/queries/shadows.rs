use otaru_shadow::Document;
use otaru_wire::{ShadowId, ThingName};

use crate::{
    ListedShadowRow, Scope, ShadowRow, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for ShadowRow {
    fn from_row(row: &mut Row) -> Result<ShadowRow, StoreError> {
        let thing = row.parsed("shadows.thing")?;
        let name = row.text("shadows.name")?;
        let name = match name.as_str() {
            "" => None,
            _ => Some(name.parse().map_err(|_| StoreError::corrupt("shadows.name", name))?),
        };
        let organisation = row.parsed("shadows.organisation")?;
        let text = row.text("shadows.document")?;
        let document = Document::from_stored(&text)
            .map_err(|_| StoreError::corrupt("shadows.document", text))?;
        Ok(ShadowRow { shadow: ShadowId { thing, name }, organisation, document })
    }
}

/// The shadow, tombstones included, whatever its organisation: the caller decides from
/// [`ShadowRow::organisation`] whether it may be seen. Its row stays locked.
pub fn shadow(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    shadow: &ShadowId,
) -> Result<Option<ShadowRow>, StoreError> {
    stored(tx, shadow)
}

fn stored(tx: &mut Tx<'_>, shadow: &ShadowId) -> Result<Option<ShadowRow>, StoreError> {
    tx.shadow(
        shadow,
        "SELECT thing, name, organisation, document FROM shadows
         WHERE thing = $1 AND name = $2 FOR UPDATE",
        params![shadow.thing.as_str(), shadow.name.as_ref().map_or("", |name| name.as_str())],
    )
}

/// Whether another organisation has made a shadow for this thing name.
pub fn is_thing_foreign(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<bool, StoreError> {
    let found: Option<String> = tx.first(
        "SELECT thing FROM shadows WHERE thing = $2 AND organisation <> $1 LIMIT 1",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(found.is_some())
}

/// Stores a shadow's document. Another organisation's shadow stays as it is.
pub fn put_shadow(
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
    document: &Document,
    now: i64,
) -> Result<(), StoreError> {
    let organisation = scope.organisation();
    let is_foreign = |row: &ShadowRow| row.organisation != *organisation;
    let is_foreign = match tx.known_shadow(shadow) {
        Some(known) => known.is_some_and(|row| is_foreign(&row)),
        None => stored(tx, shadow)?.is_some_and(|row| is_foreign(&row)),
    };
    if is_foreign {
        return Ok(());
    }
    let (shadow, organisation) = (shadow.clone(), organisation.clone());
    tx.put_shadow(ShadowRow { shadow, organisation, document: document.clone() }, now)
}

/// The live shadows of a thing, the classic one included.
pub fn shadows_of_thing(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Vec<ShadowRow>, StoreError> {
    tx.all(
        "SELECT thing, name, organisation, document FROM shadows
         WHERE organisation = $1 AND thing = $2 AND deleted = 0 ORDER BY name",
        params![scope.organisation().as_str(), thing.as_str()],
    )
}

impl FromRow for ListedShadowRow {
    fn from_row(row: &mut Row) -> Result<ListedShadowRow, StoreError> {
        let shadow = ShadowRow::from_row(row)?;
        Ok(ListedShadowRow { row: shadow, updated_at: row.int("shadows.updated_at")? })
    }
}

/// The live shadows of a thing from the name `from` on, by name; the classic one, which has
/// none, is the first.
pub fn list_shadows(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    from: &str,
    limit: u32,
) -> Result<Vec<ListedShadowRow>, StoreError> {
    tx.all(
        "SELECT thing, name, organisation, document, updated_at FROM shadows
         WHERE organisation = $1 AND thing = $2 AND deleted = 0 AND name >= $3
         ORDER BY name LIMIT $4",
        params![scope.organisation().as_str(), thing.as_str(), from, limit],
    )
}

/// Removes all that is stored of a thing's shadows: their history, and deleted ones.
pub fn forget_shadows(tx: &mut Tx<'_>, scope: &Scope, thing: &ThingName) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM shadow_history WHERE thing = $2
             AND name IN (SELECT name FROM shadows WHERE organisation = $1 AND thing = $2)",
        "DELETE FROM shadows WHERE organisation = $1 AND thing = $2",
    ] {
        tx.execute(sql, params![scope.organisation().as_str(), thing.as_str()])?;
    }
    Ok(())
}

/// How many named shadows a thing has, deleted ones included.
pub fn count_named_shadows(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM shadows WHERE organisation = $1 AND thing = $2 AND name <> ''",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// Names of the live named shadows of a thing after `after`, by name.
pub fn shadow_names(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    tx.all(
        "SELECT name FROM shadows
         WHERE organisation = $1 AND thing = $2 AND deleted = 0 AND name <> '' AND name > $3
         ORDER BY name LIMIT $4",
        params![scope.organisation().as_str(), thing.as_str(), after, limit],
    )
}
