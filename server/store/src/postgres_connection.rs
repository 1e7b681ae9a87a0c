//! PostgreSQL through the synchronous client; runs on the store's own threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use postgres::{
    Client, Config, Statement,
    config::SslMode,
    error::SqlState,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use crate::{
    StoreError,
    value::{Row, Value},
};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long the server's machine may not answer before the connection counts as lost.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// What the one server of a database holds: `otaru` in ASCII.
const SERVER_LOCK: i64 = 0x6f_7461_7275;

/// Waits for a server that is just ending. One whose machine is gone holds the lock only
/// until PostgreSQL, which asks after it, has no answer for half a minute.
const TAKE_LOCK: &str = "SET lock_timeout = '5s';
    SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

pub(crate) struct PostgresConnection {
    client: Client,
    read_only: bool,
    statements: HashMap<&'static str, Statement>,
}

impl PostgresConnection {
    /// Connects; TLS as the URL's `sslmode` asks, checked against the machine's own roots.
    pub(crate) fn open(url: &str, read_only: bool) -> Result<PostgresConnection, StoreError> {
        let config = with_time_limits(url.parse()?);
        let client = match (config.get_ssl_mode(), tls()) {
            (SslMode::Disable, _) => config.connect(postgres::NoTls)?,
            // A machine without root certificates can still use a server that needs no TLS.
            (SslMode::Prefer, Err(_)) => config.connect(postgres::NoTls)?,
            (_, tls) => config.connect(tls?)?,
        };
        Ok(PostgresConnection { client, read_only, statements: HashMap::new() })
    }

    /// Makes this session the one that writes; it is for as long as it lasts.
    pub(crate) fn be_the_only_writer(&mut self) -> Result<(), StoreError> {
        self.client.batch_execute(TAKE_LOCK)?;
        match self.client.execute("SELECT pg_advisory_lock($1)", &[&SERVER_LOCK]) {
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                Err(StoreError::InUse)
            }
            Err(error) => Err(error.into()),
            Ok(_) => self.batch("SET lock_timeout TO DEFAULT"),
        }
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql)?)
    }

    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        Ok(self.client.execute(&statement, &as_sql(params))?)
    }

    pub(crate) fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        let rows = self.client.query(&statement, &as_sql(params))?;
        rows.into_iter().map(|row| columns(&row)).collect()
    }

    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        // A reader sees one state from its first statement to its last, as with SQLite.
        let read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.batch(if self.read_only { read } else { "BEGIN" })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    fn statement(&mut self, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = match self.read_only {
            // A reader that locked rows could deadlock with the writer's whole batch.
            true => self.client.prepare(&sql.replace("FOR UPDATE", ""))?,
            false => self.client.prepare(sql)?,
        };
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// Limits for a server that went away without a word, where the URL sets none. The defaults
/// of libpq and the kernel would let the writer wait for two hours.
fn with_time_limits(mut config: Config) -> Config {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_LIMIT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_LIMIT);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_idle(SILENCE_LIMIT / 2).keepalives_interval(SILENCE_LIMIT / 6);
        config.keepalives_retries(3);
    }
    config
}

fn tls() -> Result<tokio_postgres_rustls::MakeRustlsConnect, StoreError> {
    use rustls_platform_verifier::BuilderVerifierExt;
    // Named, because the process may have compiled in several and chosen none.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(StoreError::unavailable)?
        .with_platform_verifier()
        .map_err(StoreError::unavailable)?
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}

fn as_sql(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn columns(row: &postgres::Row) -> Result<Row, StoreError> {
    let column = |at: usize| -> Result<Value, StoreError> {
        let kind = row.columns()[at].type_();
        Ok(if *kind == Type::INT8 {
            row.try_get::<_, Option<i64>>(at)?.into()
        } else if *kind == Type::INT4 {
            row.try_get::<_, Option<i32>>(at)?.map(i64::from).into()
        } else if *kind == Type::BYTEA {
            row.try_get::<_, Option<Vec<u8>>>(at)?.into()
        } else {
            row.try_get::<_, Option<String>>(at)?.into()
        })
    };
    Ok(Row::new((0..row.len()).map(column).collect::<Result<_, _>>()?))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Value::Int(value) => value.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    // PostgreSQL tells each parameter's type; the schema uses only these.
    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::TEXT, Type::VARCHAR, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> StoreError {
        match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => {
                StoreError::Duplicate(Box::new(error))
            }
            _ => StoreError::unavailable(error),
        }
    }
}
