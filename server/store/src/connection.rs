//! One SQL text for both engines.

use std::path::PathBuf;

use crate::{
    StoreError,
    postgres_connection::PostgresConnection,
    sqlite_connection::{SqliteConnection, dialect_of_schema},
    value::{Row, Value},
};

/// Where the database is.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Address {
    /// Reads `sqlite:PATH` or `postgres://…`.
    pub(crate) fn parse(url: &str) -> Result<Address, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Address::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Address::Postgres(url.to_owned()));
        }
        // The URL may hold a password: name only its scheme.
        let scheme = url.split(':').next().unwrap_or_default();
        Err(StoreError::UnknownEngine(format!("{scheme}:…")))
    }

    /// The connection that writes: one at a time, of all servers.
    pub(crate) fn writer(&self) -> Result<Connection, StoreError> {
        let mut connection = self.connect(false)?;
        // A file is locked by SQLite for each write, and by the server with its folder.
        if let Connection::Postgres(postgres) = &mut connection {
            postgres.be_the_only_writer()?;
        }
        Ok(connection)
    }

    pub(crate) fn reader(&self) -> Result<Connection, StoreError> {
        self.connect(true)
    }

    fn connect(&self, read_only: bool) -> Result<Connection, StoreError> {
        Ok(match self {
            Address::Sqlite(path) => {
                Connection::Sqlite(Box::new(SqliteConnection::open(path, read_only)?))
            }
            Address::Postgres(url) => {
                Connection::Postgres(Box::new(PostgresConnection::open(url, read_only)?))
            }
        })
    }
}

pub(crate) enum Connection {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PostgresConnection>),
}

impl Connection {
    /// Runs statements without parameters or results.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        match self {
            Connection::Sqlite(connection) => connection.batch(sql),
            Connection::Postgres(connection) => connection.batch(sql),
        }
    }

    /// Runs statements of a migration, in this engine's dialect.
    pub(crate) fn change_schema(&mut self, sql: &str) -> Result<(), StoreError> {
        match self {
            Connection::Sqlite(connection) => connection.batch(&dialect_of_schema(sql)),
            Connection::Postgres(connection) => connection.batch(sql),
        }
    }

    /// Runs statements of a migration that each engine is told in its own words.
    pub(crate) fn change_schema_otherwise(
        &mut self,
        sqlite: &str,
        postgres: &str,
    ) -> Result<(), StoreError> {
        match self {
            Connection::Sqlite(connection) => connection.batch(sqlite),
            Connection::Postgres(connection) => connection.batch(postgres),
        }
    }

    /// How many rows the statement changed.
    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        match self {
            Connection::Sqlite(connection) => connection.execute(sql, params),
            Connection::Postgres(connection) => connection.execute(sql, params),
        }
    }

    pub(crate) fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Connection::Sqlite(connection) => connection.query(sql, params),
            Connection::Postgres(connection) => connection.query(sql, params),
        }
    }

    /// Starts a transaction; a writer's takes the lock at once.
    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        match self {
            Connection::Sqlite(connection) => connection.begin(),
            Connection::Postgres(connection) => connection.begin(),
        }
    }

    /// False when the link to the server is gone and a new connection is needed.
    pub(crate) fn is_usable(&self) -> bool {
        match self {
            Connection::Sqlite(_) => true,
            Connection::Postgres(connection) => !connection.is_closed(),
        }
    }
}
