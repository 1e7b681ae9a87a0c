//! SQLite through rusqlite: WAL, every commit synced to disk.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rusqlite::{ErrorCode, types::ValueRef};
use tracing::warn;

use crate::{
    StoreError,
    value::{Row, Value},
};

pub(crate) struct SqliteConnection {
    connection: rusqlite::Connection,
    read_only: bool,
}

impl SqliteConnection {
    /// Opens or creates the file. A reader cannot write by accident.
    pub(crate) fn open(path: &Path, read_only: bool) -> Result<SqliteConnection, StoreError> {
        if !read_only {
            make_private(path);
        }
        let connection = rusqlite::Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(256);
        // FULL syncs the log at each commit: what was acknowledged survives a power cut.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY;",
        )?;
        if read_only {
            connection.execute_batch("PRAGMA query_only = ON;")?;
        } else {
            // SQLite keeps log and index beside what a link leads to.
            keep_private(&path.canonicalize().map_err(StoreError::unavailable)?);
        }
        Ok(SqliteConnection { connection, read_only })
    }

    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        self.batch(if self.read_only { "BEGIN" } else { "BEGIN IMMEDIATE" })
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch(sql)?)
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(&dialect(sql))?;
        let changed = statement.execute(rusqlite::params_from_iter(params))?;
        Ok(changed as u64)
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.connection.prepare_cached(&dialect(sql))?;
        let width = statement.column_count();
        let mut found = statement.query(rusqlite::params_from_iter(params))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let columns =
                (0..width).map(|at| column(row.get_ref(at)?)).collect::<Result<_, _>>()?;
            rows.push(Row::new(columns));
        }
        Ok(rows)
    }
}

/// What a mode says of everybody but the file's owner.
const FOR_OTHERS: u32 = 0o077;

/// Makes a database that is not there yet, for the server's user alone, whatever the folder and
/// the umask allow: SQLite gives its log and index the mode of the database.
fn make_private(path: &Path) {
    // Never opened where it exists: closing a file ends all locks that this process has on it.
    // Whatever else is wrong with the path SQLite says.
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// Closes the files of a database to others. What cannot be done is said, and keeps no server
/// from starting.
fn keep_private(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = Path::new(&name);
        match close_to_others(file) {
            Ok(true) => {
                warn!(path = %file.display(), "Others could read or change this; now they cannot")
            }
            Ok(false) => {}
            Err(error) => warn!(path = %file.display(), %error, "Others can read or change this"),
        }
    }
}

/// Whether others could do anything with the file; nothing happens if there is none.
fn close_to_others(path: &Path) -> io::Result<bool> {
    let mode = match fs::metadata(path) {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if mode & FOR_OTHERS == 0 {
        return Ok(false);
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !FOR_OTHERS & 0o7777))?;
    Ok(true)
}

/// SQLite numbers parameters `?n`, and locks by being the only writer.
fn dialect(sql: &str) -> String {
    sql.replace('$', "?").replace("FOR UPDATE", "")
}

/// The one DDL difference: how a rising row number is declared.
pub(crate) fn dialect_of_schema(sql: &str) -> String {
    sql.replace("BIGSERIAL PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT")
        .replace("BYTEA", "BLOB")
}

fn column(value: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(text) => Value::Text(
            std::str::from_utf8(text)
                .map_err(|error| StoreError::corrupt("text", error))?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(value) => return Err(StoreError::corrupt("column", value)),
    })
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::ToSqlOutput::Borrowed;
        Ok(Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let unique =
            [rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
        match &error {
            rusqlite::Error::SqliteFailure(cause, _)
                if cause.code == ErrorCode::ConstraintViolation
                    && unique.contains(&cause.extended_code) =>
            {
                StoreError::Duplicate(Box::new(error))
            }
            _ => StoreError::unavailable(error),
        }
    }
}
