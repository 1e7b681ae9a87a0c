//! Forward-only schema changes, embedded in the program. See `migrations/README.md`.

use crate::{StoreError, connection::Connection, value::params};

const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_silence.sql"),
    include_str!("../migrations/0003_telling.sql"),
    include_str!("../migrations/0004_accounts.sql"),
    include_str!("../migrations/0005_consent.sql"),
    include_str!("../migrations/0006_watching.sql"),
    include_str!("../migrations/0007_access_keys.sql"),
    include_str!("../migrations/0008_history.sql"),
    include_str!("../migrations/0009_server_keys.sql"),
    include_str!("../migrations/0010_intake.sql"),
    include_str!("../migrations/0011_signers.sql"),
    include_str!("../migrations/0012_patches.sql"),
    include_str!("../migrations/0013_bucket.sql"),
];

/// Brings the schema up to date; each step is one transaction.
pub(crate) fn apply(connection: &mut Connection) -> Result<(), StoreError> {
    connection.change_schema(
        "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)",
    )?;
    let rows =
        connection.query("SELECT coalesce(max(version), 0) FROM schema_version", params![])?;
    let current = match rows.into_iter().next() {
        Some(mut row) => row.int("schema_version")?,
        None => 0,
    };
    let known = MIGRATIONS.len() as i64;
    if current > known {
        return Err(StoreError::NewerSchema { found: current, known });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(current as usize) {
        connection.begin()?;
        connection.change_schema(sql)?;
        connection
            .execute("INSERT INTO schema_version (version) VALUES ($1)", params![number as i64])?;
        connection.batch("COMMIT")?;
    }
    Ok(())
}
