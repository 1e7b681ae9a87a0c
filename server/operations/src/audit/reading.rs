use otaru_fleet::Permission;
use otaru_store::{AuditFilter, AuditHead, AuditLog, AuditRow, SystemScope, Tx};
use otaru_wire::audit::{Chain, Flaw, START};
use serde::Serialize;
use utoipa::ToSchema;

use crate::objects::AuditEntryObject;
use crate::organisations::require_host;
use crate::{Actor, App, OperationError, Page, PageRequest, Refusal};

/// Entries read in one transaction.
const PART: u32 = 500;

/// Flaws that a report names: where there are more, somebody knows enough.
const MOST_FLAWS: usize = 100;

/// Longest text to look for.
const FILTER_BYTES: usize = 256;

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// The log: the actor's organisation's if `None`, or `server`.
    pub log: Option<String>,
    /// Which of its entries.
    pub filter: AuditFilter,
}

/// Whether a log is whole.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditReport {
    /// The log: the id of an organisation, or `server`.
    pub log: String,
    /// The last entry, to be noted where this server cannot reach it.
    pub head: AuditState,
    /// Whether nothing is wrong.
    pub whole: bool,
    /// What is wrong, in the order of the entries; at most 100.
    #[schema(value_type = Vec<Object>)]
    pub flaws: Vec<AuditFlaw>,
}

/// How far a log is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditState {
    /// The number of its last entry; 0 before there is one.
    pub sequence: u64,
    /// The hash of that.
    pub hash: String,
}

/// Something wrong with a log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditFlaw {
    /// The entry it is about.
    pub sequence: u64,
    /// What is wrong.
    pub detail: String,
}

/// Refuses who may not read the audit log: to be asked before anything is sent of it.
///
/// # Errors
/// [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub fn may_read_audit(app: &App, actor: &Actor, log: Option<&str>) -> Result<(), Refusal> {
    log_of(app, actor, log).map(drop)
}

fn log_of(app: &App, actor: &Actor, log: Option<&str>) -> Result<AuditLog, Refusal> {
    actor.require(Permission::ReadAudit)?;
    match log {
        None => Ok(AuditLog::Of(actor.scope.clone())),
        Some(AuditLog::SERVER) => {
            require_host(app, actor)?;
            Ok(AuditLog::Server(SystemScope::for_organisations()))
        }
        Some(other) => {
            let other = other.escape_debug();
            Err(Refusal::invalid("log", format!("`{other}` is not `{}`", AuditLog::SERVER)))
        }
    }
}

/// Entries of a log, newest first.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`], [`Refusal::InvalidCursor`].
pub async fn list_audit(
    app: &App,
    actor: &Actor,
    query: AuditQuery,
    page: PageRequest,
) -> Result<Page<AuditEntryObject>, OperationError> {
    let AuditQuery { log, filter } = query;
    let log = log_of(app, actor, log.as_deref())?;
    let texts = [("actor", &filter.actor), ("action", &filter.action), ("object", &filter.object)];
    for (name, text) in texts {
        if text.as_ref().is_some_and(|text| text.len() > FILTER_BYTES) {
            return Err(Refusal::invalid(name, format!("longer than {FILTER_BYTES} bytes")).into());
        }
    }
    let (limit, below) = (page.limit()?, page.number(i64::MAX)?);
    let below = u64::try_from(below).map_err(|_| Refusal::InvalidCursor)?;
    let work = move |tx: &mut Tx<'_>| otaru_store::audit_entries(tx, &log, &filter, below, limit);
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.sequence.to_string(), AuditEntryObject::from))
}

/// The next entries of a log behind `after`, oldest first; none at its end.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`].
pub async fn export_audit(
    app: &App,
    actor: &Actor,
    log: Option<&str>,
    after: u64,
) -> Result<Vec<AuditEntryObject>, OperationError> {
    let log = log_of(app, actor, log)?;
    let work = move |tx: &mut Tx<'_>| otaru_store::audit_entries_after(tx, &log, after, PART);
    let rows = app.inner.store.read(work).await?;
    Ok(rows.into_iter().map(AuditEntryObject::from).collect())
}

/// Looks at every entry of a log, and whether it is whole up to its head.
///
/// It is the server that says so: whoever has it can make it say anything. Who wants to know
/// for themselves exports the log, and keeps heads of it elsewhere.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`].
pub async fn verify_audit(
    app: &App,
    actor: &Actor,
    log: Option<&str>,
) -> Result<AuditReport, OperationError> {
    let log = log_of(app, actor, log)?;
    let (mut chain, mut flaws, mut after) = (Chain::default(), Vec::new(), 0);
    loop {
        let log_ = log.clone();
        // Together: entries that are written meanwhile have moved the head.
        let (rows, head) = app.inner.store.read(move |tx| part(tx, &log_, after)).await?;
        let is_last = rows.len() < PART as usize;
        for row in rows {
            // Not from where the chain is: an entry that cannot be read leaves it where it was.
            after = row.sequence;
            let entry = serde_json::to_value(AuditEntryObject::from(row)).unwrap_or_default();
            flaws.extend(chain.take(&entry).err());
        }
        if is_last {
            flaws.extend(behind(&chain, head));
        }
        flaws.truncate(MOST_FLAWS);
        if is_last {
            return Ok(report(&log, &chain, &flaws));
        }
    }
}

fn part(
    tx: &mut Tx<'_>,
    log: &AuditLog,
    after: u64,
) -> Result<(Vec<AuditRow>, Option<AuditHead>), OperationError> {
    let rows = otaru_store::audit_entries_after(tx, log, after, PART)?;
    Ok((rows, otaru_store::audit_head(tx, log)?))
}

/// What the head says otherwise than the entries.
fn behind(chain: &Chain, head: Option<AuditHead>) -> Option<Flaw> {
    let (last, hash) = chain.head();
    let head = head.unwrap_or(AuditHead { sequence: 0, hash: START.to_string() });
    if head.sequence > last {
        return Some(Flaw::Missing { from: last + 1, to: head.sequence });
    }
    if head.sequence < last {
        return Some(Flaw::Misplaced { sequence: head.sequence + 1 });
    }
    (head.hash != hash.to_string()).then_some(Flaw::Replaced { sequence: last })
}

fn report(log: &AuditLog, chain: &Chain, flaws: &[Flaw]) -> AuditReport {
    let (sequence, hash) = chain.head();
    let flaw = |flaw: &Flaw| AuditFlaw { sequence: flaw.sequence(), detail: flaw.to_string() };
    AuditReport {
        log: log.name().to_owned(),
        head: AuditState { sequence, hash: hash.to_string() },
        whole: flaws.is_empty(),
        flaws: flaws.iter().map(flaw).collect(),
    }
}
