//! Forward-only schema changes, embedded in the program. See `migrations/README.md`.

use crate::{StoreError, connection::Connection, value::params};

/// A step of the schema.
struct Migration {
    sql: &'static str,
    /// What SQLite alone is told after it.
    sqlite: &'static str,
    /// What PostgreSQL alone is told after it.
    postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        [$(Migration {
            sql: include_str!(concat!("../migrations/", $name, ".sql")),
            sqlite: "",
            postgres: "",
        }),*]
    };
}

/// What both engines are told in the same words.
static IN_ONE_TEXT: [Migration; 13] = migrations![
    "0001_first",
    "0002_silence",
    "0003_telling",
    "0004_accounts",
    "0005_consent",
    "0006_watching",
    "0007_access_keys",
    "0008_history",
    "0009_server_keys",
    "0010_intake",
    "0011_signers",
    "0012_patches",
    "0013_bucket",
];

/// What each is told in its own.
static AUDIT: Migration = Migration {
    sql: include_str!("../migrations/0014_audit.sql"),
    sqlite: include_str!("../migrations/0014_audit.sqlite.sql"),
    postgres: include_str!("../migrations/0014_audit.postgres.sql"),
};

static AUDIT_FOLLOWS: Migration = Migration {
    sql: include_str!("../migrations/0020_audit_follows.sql"),
    sqlite: include_str!("../migrations/0020_audit_follows.sqlite.sql"),
    postgres: include_str!("../migrations/0020_audit_follows.postgres.sql"),
};

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
    let all = IN_ONE_TEXT.iter().chain([&AUDIT, &AUDIT_FOLLOWS]);
    let known = IN_ONE_TEXT.len() as i64 + 2;
    if current > known {
        return Err(StoreError::NewerSchema { found: current, known });
    }
    for (number, migration) in (1..).zip(all).skip(current as usize) {
        connection.begin()?;
        connection.change_schema(migration.sql)?;
        connection.change_schema_otherwise(migration.sqlite, migration.postgres)?;
        connection
            .execute("INSERT INTO schema_version (version) VALUES ($1)", params![number as i64])?;
        connection.batch("COMMIT")?;
    }
    Ok(())
}
