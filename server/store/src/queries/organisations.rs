use otaru_wire::OrganisationId;

use crate::{StoreError, SystemScope, Tx, value::params};

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
