use otaru_wire::OrganisationId;

use crate::{
    OrganisationRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for OrganisationRow {
    fn from_row(row: &mut Row) -> Result<OrganisationRow, StoreError> {
        Ok(OrganisationRow {
            id: row.parsed("organisations.id")?,
            name: row.text("organisations.name")?,
            created_at: row.int("organisations.created_at")?,
        })
    }
}

/// Adds an organisation, or returns the id of the one that has this name.
pub fn ensure_organisation(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    id: &OrganisationId,
    name: &str,
    now: i64,
) -> Result<OrganisationId, StoreError> {
    tx.execute(
        "INSERT INTO organisations (id, name, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO NOTHING",
        params![id.as_str(), name, now],
    )?;
    let found: Option<String> =
        tx.first("SELECT id FROM organisations WHERE name = $1", params![name])?;
    let found = found.unwrap_or_default();
    found.parse().map_err(|_| StoreError::corrupt("organisations.id", found))
}

/// Adds an organisation and returns its scope. [`StoreError::Duplicate`] when the name is
/// taken on this server.
pub fn insert_organisation(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    new: &OrganisationRow,
) -> Result<Scope, StoreError> {
    tx.execute(
        "INSERT INTO organisations (id, name, created_at) VALUES ($1, $2, $3)",
        params![new.id.as_str(), &new.name, new.created_at],
    )?;
    Ok(Scope::of(new.id.clone()))
}

/// The organisation of the scope.
pub fn organisation(tx: &mut Tx<'_>, scope: &Scope) -> Result<Option<OrganisationRow>, StoreError> {
    tx.first(
        "SELECT id, name, created_at FROM organisations WHERE id = $1",
        params![scope.organisation().as_str()],
    )
}

/// The scope of the organisation with this name.
pub fn organisation_named(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    name: &str,
) -> Result<Option<Scope>, StoreError> {
    let found: Option<OrganisationRow> =
        tx.first("SELECT id, name, created_at FROM organisations WHERE name = $1", params![name])?;
    Ok(found.map(|row| Scope::of(row.id)))
}

/// Every organisation of the server after `after` (a name), by name.
pub fn organisations(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    after: &str,
    limit: u32,
) -> Result<Vec<OrganisationRow>, StoreError> {
    tx.all(
        "SELECT id, name, created_at FROM organisations WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
    )
}
