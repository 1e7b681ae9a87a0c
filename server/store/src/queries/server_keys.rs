use crate::{
    Scope, ServerKeyRow, StoreError, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for ServerKeyRow {
    fn from_row(row: &mut Row) -> Result<ServerKeyRow, StoreError> {
        Ok(ServerKeyRow {
            key_id: row.text("server_keys.key_id")?,
            public_key: row.text("server_keys.public_key")?,
            sealed_secret: row.bytes("server_keys.sealed_secret")?,
            created_at: row.int("server_keys.created_at")?,
        })
    }
}

/// Adds a server key.
pub fn insert_server_key(
    tx: &mut Tx<'_>,
    scope: &Scope,
    key: &ServerKeyRow,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO server_keys (key_id, organisation, public_key, sealed_secret, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        params![
            &key.key_id,
            scope.organisation().as_str(),
            &key.public_key,
            key.sealed_secret.as_slice(),
            key.created_at
        ],
    )?;
    Ok(())
}

/// The server key with this public half.
pub fn server_key(
    tx: &mut Tx<'_>,
    scope: &Scope,
    public_key: &str,
) -> Result<Option<ServerKeyRow>, StoreError> {
    tx.first(
        "SELECT key_id, public_key, sealed_secret, created_at FROM server_keys
         WHERE organisation = $1 AND public_key = $2",
        params![scope.organisation().as_str(), public_key],
    )
}

/// Every server key, newest first.
pub fn server_keys(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<ServerKeyRow>, StoreError> {
    tx.all(
        "SELECT key_id, public_key, sealed_secret, created_at FROM server_keys
         WHERE organisation = $1 ORDER BY created_at DESC, key_id DESC",
        params![scope.organisation().as_str()],
    )
}

/// Forgets a server key.
pub fn delete_server_key(tx: &mut Tx<'_>, scope: &Scope, key_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM server_keys WHERE organisation = $1 AND key_id = $2",
        params![scope.organisation().as_str(), key_id],
    )?;
    Ok(())
}

/// The newest root document of every product.
pub fn newest_roots(tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<Vec<u8>>, StoreError> {
    tx.all(
        "SELECT document FROM roots JOIN products ON name = product
         WHERE organisation = $1 AND number = (
             SELECT max(number) FROM roots AS newer WHERE newer.product = roots.product)",
        params![scope.organisation().as_str()],
    )
}
