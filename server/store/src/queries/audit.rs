use crate::{
    Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

/// Whose log of changes it is.
#[derive(Clone, Debug)]
pub enum AuditLog {
    /// That of one organisation.
    Of(Scope),
    /// That of the server: what belongs to no organisation.
    Server(SystemScope),
}

impl AuditLog {
    /// What the log of the server is called: no id of an organisation is.
    pub const SERVER: &'static str = "server";

    /// What the log is called.
    pub fn name(&self) -> &str {
        match self {
            AuditLog::Of(scope) => scope.organisation().as_str(),
            AuditLog::Server(_) => AuditLog::SERVER,
        }
    }
}

/// An entry of a log of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The log it is in.
    pub log: String,
    /// Its number there, from 1 on, without a gap.
    pub sequence: u64,
    /// When it happened.
    pub at: i64,
    /// What kind of actor did it.
    pub actor_kind: String,
    /// Which one.
    pub actor_id: Option<String>,
    /// What it was called then.
    pub actor_name: Option<String>,
    /// The person a token acted for.
    pub actor_person: Option<String>,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub object_kind: String,
    /// Which one.
    pub object_id: String,
    /// What it was called then.
    pub object_name: Option<String>,
    /// What changed, as it was: JSON.
    pub before: Option<String>,
    /// What changed, as it became: JSON.
    pub after: Option<String>,
    /// The address it was asked for from.
    pub address: Option<String>,
    /// The program it was asked for with.
    pub user_agent: Option<String>,
    /// The id of the request.
    pub request: Option<String>,
    /// The hash of the entry before, in hex.
    pub prev_hash: String,
    /// Its own hash, in hex.
    pub hash: String,
}

impl FromRow for AuditRow {
    fn from_row(row: &mut Row) -> Result<AuditRow, StoreError> {
        Ok(AuditRow {
            log: row.text("audit_entries.log")?,
            sequence: row.unsigned("audit_entries.sequence")?,
            at: row.int("audit_entries.at")?,
            actor_kind: row.text("audit_entries.actor_kind")?,
            actor_id: row.opt_text("audit_entries.actor_id")?,
            actor_name: row.opt_text("audit_entries.actor_name")?,
            actor_person: row.opt_text("audit_entries.actor_person")?,
            action: row.text("audit_entries.action")?,
            object_kind: row.text("audit_entries.object_kind")?,
            object_id: row.text("audit_entries.object_id")?,
            object_name: row.opt_text("audit_entries.object_name")?,
            before: row.opt_text("audit_entries.before_change")?,
            after: row.opt_text("audit_entries.after_change")?,
            address: row.opt_text("audit_entries.address")?,
            user_agent: row.opt_text("audit_entries.user_agent")?,
            request: row.opt_text("audit_entries.request")?,
            prev_hash: row.text("audit_entries.prev_hash")?,
            hash: row.text("audit_entries.hash")?,
        })
    }
}

/// The last entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Its number; 0 before there is one.
    pub sequence: u64,
    /// Its hash, in hex.
    pub hash: String,
}

impl FromRow for AuditHead {
    fn from_row(row: &mut Row) -> Result<AuditHead, StoreError> {
        Ok(AuditHead {
            sequence: row.unsigned("audit_heads.sequence")?,
            hash: row.text("audit_heads.hash")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT log, sequence, at, actor_kind, actor_id, actor_name, actor_person, action,
                 object_kind, object_id, object_name, before_change, after_change, address,
                 user_agent, request, prev_hash, hash
             FROM audit_entries ",
            $rest
        )
    };
}

/// The last entry of a log, which nobody else follows until this work is committed.
pub fn audit_head(tx: &mut Tx<'_>, log: &AuditLog) -> Result<Option<AuditHead>, StoreError> {
    tx.first(
        "SELECT sequence, hash FROM audit_heads WHERE log = $1 FOR UPDATE",
        params![log.name()],
    )
}

/// Appends the entry that follows the last one, and makes it the last one.
pub fn append_audit_entry(tx: &mut Tx<'_>, row: &AuditRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_entries
             (log, sequence, at, actor_kind, actor_id, actor_name, actor_person, action,
              object_kind, object_id, object_name, before_change, after_change, address,
              user_agent, request, prev_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        params![
            &row.log,
            row.sequence,
            row.at,
            &row.actor_kind,
            row.actor_id.as_deref(),
            row.actor_name.as_deref(),
            row.actor_person.as_deref(),
            &row.action,
            &row.object_kind,
            &row.object_id,
            row.object_name.as_deref(),
            row.before.as_deref(),
            row.after.as_deref(),
            row.address.as_deref(),
            row.user_agent.as_deref(),
            row.request.as_deref(),
            &row.prev_hash,
            &row.hash
        ],
    )?;
    tx.execute(
        "INSERT INTO audit_heads (log, sequence, hash) VALUES ($1, $2, $3)
         ON CONFLICT (log) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash",
        params![&row.log, row.sequence, &row.hash],
    )?;
    Ok(())
}

/// Which entries of a log are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this actor, or of the person it acts for: id or name.
    pub actor: Option<String>,
    /// This action, or all of a noun such as `release`.
    pub action: Option<String>,
    /// About this: an id, a name, or kind and id as in `device:clock-01`.
    pub object: Option<String>,
    /// Not before this.
    pub since: Option<i64>,
    /// Before this.
    pub until: Option<i64>,
}

/// Entries of a log below `below`, newest first.
pub fn audit_entries(
    tx: &mut Tx<'_>,
    log: &AuditLog,
    filter: &AuditFilter,
    below: u64,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    tx.all(
        select_entries!(
            "WHERE log = $1 AND sequence < $2
                 AND ($3 = '' OR actor_id = $3 OR actor_name = $3 OR actor_person = $3)
                 AND ($4 = '' OR action = $4
                     OR substr(action, 1, length($4) + 1) = $4 || '.')
                 AND ($5 = '' OR object_id = $5 OR object_name = $5
                     OR object_kind || ':' || object_id = $5)
                 AND at >= $6 AND at < $7
             ORDER BY sequence DESC LIMIT $8"
        ),
        params![
            log.name(),
            below,
            filter.actor.as_deref().unwrap_or_default(),
            filter.action.as_deref().unwrap_or_default(),
            filter.object.as_deref().unwrap_or_default(),
            filter.since.unwrap_or(i64::MIN),
            filter.until.unwrap_or(i64::MAX),
            limit
        ],
    )
}

/// Entries of a log above `after`, oldest first.
pub fn audit_entries_after(
    tx: &mut Tx<'_>,
    log: &AuditLog,
    after: u64,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    tx.all(
        select_entries!("WHERE log = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"),
        params![log.name(), after, limit],
    )
}

/// What a token or access key of the organisation is called.
pub fn token_label(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<Option<String>, StoreError> {
    tx.first(
        "SELECT label FROM tokens WHERE organisation = $1 AND id = $2 AND label IS NOT NULL",
        params![scope.organisation().as_str(), id],
    )
}
