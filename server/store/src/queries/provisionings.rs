use otaru_wire::{TemplateName, ThingName};

use crate::{
    Scope, StoreError, SystemScope, TemplateRow, Tx,
    value::{FromRow, Row, params},
};

/// How far a device that is provisioned has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisioningState {
    /// It has a certificate that is nobody's.
    Issued,
    /// It is a thing as soon as an operator approves.
    Waiting,
    /// It is a thing.
    Active,
    /// An operator did not approve.
    Rejected,
}

impl ProvisioningState {
    const ALL: [ProvisioningState; 4] = [
        ProvisioningState::Issued,
        ProvisioningState::Waiting,
        ProvisioningState::Active,
        ProvisioningState::Rejected,
    ];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            ProvisioningState::Issued => "issued",
            ProvisioningState::Waiting => "waiting",
            ProvisioningState::Active => "active",
            ProvisioningState::Rejected => "rejected",
        }
    }
}

/// A certificate that was issued to a claim, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisioningRow {
    /// Public id; it begins with its time.
    pub id: String,
    /// By which template.
    pub template: TemplateName,
    /// Serial number of the claim certificate.
    pub claim: String,
    /// Client id of the connection that asked.
    pub client_id: String,
    /// When its ownership token stops working.
    pub token_expires_at: i64,
    /// SHA-256 of the certificate's issuer's.
    pub issuer: String,
    /// Serial number of the certificate.
    pub serial: String,
    /// SHA-256 of its key.
    pub key_sha256: String,
    /// When the certificate ends.
    pub not_after: i64,
    /// How far it has come.
    pub state: ProvisioningState,
    /// The thing it is, or wants to be.
    pub thing: Option<ThingName>,
    /// When the certificate was issued.
    pub created_at: i64,
    /// When it asked to be a thing.
    pub provisioned_at: Option<i64>,
    /// When an operator decided.
    pub decided_at: Option<i64>,
}

impl FromRow for ProvisioningRow {
    fn from_row(row: &mut Row) -> Result<ProvisioningRow, StoreError> {
        Ok(ProvisioningRow {
            id: row.text("provisionings.id")?,
            template: row.parsed("provisionings.template")?,
            claim: row.text("provisionings.claim")?,
            client_id: row.text("provisionings.client_id")?,
            token_expires_at: row.int("provisionings.token_expires_at")?,
            issuer: row.text("provisionings.issuer")?,
            serial: row.text("provisionings.serial")?,
            key_sha256: row.text("provisionings.key_sha256")?,
            not_after: row.int("provisionings.not_after")?,
            state: state(row.text("provisionings.state")?)?,
            thing: row.opt_parsed("provisionings.thing")?,
            created_at: row.int("provisionings.created_at")?,
            provisioned_at: row.opt_int("provisionings.provisioned_at")?,
            decided_at: row.opt_int("provisionings.decided_at")?,
        })
    }
}

fn state(text: String) -> Result<ProvisioningState, StoreError> {
    let known = ProvisioningState::ALL.into_iter().find(|state| state.as_str() == text);
    known.ok_or_else(|| StoreError::corrupt("provisionings.state", text))
}

/// A query of whole rows.
macro_rules! select_provisionings {
    ($rest:literal) => {
        concat!(
            "SELECT id, template, claim, client_id, token_expires_at, issuer, serial,
                 key_sha256, not_after, state, thing, created_at, provisioned_at, decided_at
             FROM provisionings ",
            $rest
        )
    };
}

/// Remembers a certificate that was issued to a claim.
pub fn insert_provisioning(
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &ProvisioningRow,
    token_sha256: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO provisionings
             (id, organisation, template, claim, client_id, token_sha256, token_expires_at, issuer,
              serial, key_sha256, not_after, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        params![
            &row.id,
            scope.organisation().as_str(),
            row.template.as_str(),
            &row.claim,
            &row.client_id,
            token_sha256,
            row.token_expires_at,
            &row.issuer,
            &row.serial,
            &row.key_sha256,
            row.not_after,
            row.state.as_str(),
            row.created_at
        ],
    )?;
    Ok(())
}

/// The certificate that an ownership token is of.
pub fn provisioning_by_token(
    tx: &mut Tx<'_>,
    scope: &Scope,
    token_sha256: &str,
) -> Result<Option<ProvisioningRow>, StoreError> {
    tx.first(
        select_provisionings!("WHERE organisation = $1 AND token_sha256 = $2"),
        params![scope.organisation().as_str(), token_sha256],
    )
}

/// One certificate by its id.
pub fn provisioning(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
) -> Result<Option<ProvisioningRow>, StoreError> {
    tx.first(
        select_provisionings!("WHERE organisation = $1 AND id = $2"),
        params![scope.organisation().as_str(), id],
    )
}

/// Those that wait for an operator since `since`, after `after` (an id), the oldest first.
pub fn waiting_provisionings(
    tx: &mut Tx<'_>,
    scope: &Scope,
    since: i64,
    after: &str,
    limit: u32,
) -> Result<Vec<ProvisioningRow>, StoreError> {
    tx.all(
        select_provisionings!(
            "WHERE organisation = $1 AND state = 'waiting' AND provisioned_at > $4 AND id > $2
             ORDER BY id LIMIT $3"
        ),
        params![scope.organisation().as_str(), after, limit, since],
    )
}

/// Those that want to be this thing, and wait.
pub fn waiting_provisionings_of(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Vec<ProvisioningRow>, StoreError> {
    tx.all(
        select_provisionings!(
            "WHERE organisation = $1 AND state = 'waiting' AND thing = $2 ORDER BY id"
        ),
        params![scope.organisation().as_str(), thing.as_str()],
    )
}

/// Moves a certificate on; its thing is known from when it asks to be one.
pub fn set_provisioning_state(
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &ProvisioningRow,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE provisionings SET state = $3, thing = $4, provisioned_at = $5, decided_at = $6
         WHERE organisation = $1 AND id = $2",
        params![
            scope.organisation().as_str(),
            &row.id,
            row.state.as_str(),
            row.thing.as_ref().map(ThingName::as_str),
            row.provisioned_at,
            row.decided_at
        ],
    )?;
    Ok(())
}

/// How many things a template has made, or will have when all that wait since `since` are
/// approved. What another of its name made before it is not its.
pub fn count_provisioned(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateRow,
    since: i64,
) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(DISTINCT thing) FROM provisionings
         WHERE organisation = $1 AND template = $2 AND created_at >= $3
             AND (state = 'active' OR (state = 'waiting' AND provisioned_at > $4))",
        params![scope.organisation().as_str(), template.name.as_str(), template.created_at, since],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// How many wait for an operator by a template since `since`.
pub fn count_waiting_provisionings(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateName,
    since: i64,
) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM provisionings
         WHERE organisation = $1 AND template = $2 AND state = 'waiting' AND provisioned_at > $3",
        params![scope.organisation().as_str(), template.as_str(), since],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// Whether an operator has turned this key away that came by a template.
pub fn is_key_rejected(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateName,
    key_sha256: &str,
) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM provisionings
         WHERE organisation = $1 AND template = $2 AND state = 'rejected' AND key_sha256 = $3
             AND decided_at IS NOT NULL",
        params![scope.organisation().as_str(), template.as_str(), key_sha256],
    )?;
    Ok(found.unwrap_or(0) > 0)
}

/// Forgets what was provisioned as this thing, so that a template may make it again. Keys that an
/// operator turned away stay known.
pub fn forget_provisionings_of(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM provisionings WHERE organisation = $1 AND thing = $2
             AND NOT (state = 'rejected' AND decided_at IS NOT NULL)",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(())
}

/// Drops certificates whose token ended before `now` and that nobody became a thing with, and
/// those that have waited since before `since`; returns how many. What an operator turned away
/// stays known.
pub fn trim_provisionings(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    now: i64,
    since: i64,
) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM provisionings
         WHERE ((state = 'issued' OR (state = 'rejected' AND decided_at IS NULL))
                 AND token_expires_at < $1)
             OR (state = 'waiting' AND provisioned_at <= $2)",
        params![now, since],
    )
}

/// Lets another key take a device's name by provisioning, until then.
pub fn allow_reprovisioning(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    until: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET reprovision_until = $3 WHERE organisation = $1 AND thing = $2",
        params![scope.organisation().as_str(), thing.as_str(), until],
    )?;
    Ok(())
}

/// Whether another key may take a device's name by provisioning. Asked once: then it may not.
pub fn take_reprovisioning(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<bool, StoreError> {
    let taken = tx.execute(
        "UPDATE devices SET reprovision_until = NULL
         WHERE organisation = $1 AND thing = $2 AND reprovision_until > $3",
        params![scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(taken > 0)
}
