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

/// Both engines are told the same words.
macro_rules! same {
    ($name:literal) => {
        Migration {
            sql: include_str!(concat!("../migrations/", $name, ".sql")),
            sqlite: "",
            postgres: "",
        }
    };
}

/// Each is told the rest in its own.
macro_rules! each {
    ($name:literal) => {
        Migration {
            sql: include_str!(concat!("../migrations/", $name, ".sql")),
            sqlite: include_str!(concat!("../migrations/", $name, ".sqlite.sql")),
            postgres: include_str!(concat!("../migrations/", $name, ".postgres.sql")),
        }
    };
}

static ALL: &[Migration] = &[
    same!("0001_first"),
    same!("0002_silence"),
    same!("0003_telling"),
    same!("0004_accounts"),
    same!("0005_consent"),
    same!("0006_watching"),
    same!("0007_access_keys"),
    same!("0008_history"),
    same!("0009_server_keys"),
    same!("0010_intake"),
    same!("0011_signers"),
    same!("0012_patches"),
    same!("0013_bucket"),
    each!("0014_audit"),
    same!("0015_oidc"),
    same!("0016_second_factor"),
    same!("0017_approval"),
    each!("0018_authorities"),
    each!("0019_audit_follows"),
    same!("0020_enrolment"),
    same!("0021_forgotten_certificates"),
    same!("0022_server_authorities"),
    same!("0023_certificate_ends"),
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
    let known = ALL.len() as i64;
    if current > known {
        return Err(StoreError::NewerSchema { found: current, known });
    }
    for (number, migration) in (1..).zip(ALL).skip(current as usize) {
        connection.begin()?;
        connection.change_schema(migration.sql)?;
        connection.change_schema_otherwise(migration.sqlite, migration.postgres)?;
        connection
            .execute("INSERT INTO schema_version (version) VALUES ($1)", params![number as i64])?;
        connection.batch("COMMIT")?;
    }
    Ok(())
}
