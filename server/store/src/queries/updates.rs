use otaru_fleet::Update;
use otaru_wire::{Digest, OrganisationId, Reason, ThingName, UpdateId};

use crate::{
    DecidedBy, PutOff, Scope, StoreError, SystemScope, Tx, UpdateRow,
    value::{FromRow, Row, params},
};

impl FromRow for UpdateRow {
    fn from_row(row: &mut Row) -> Result<UpdateRow, StoreError> {
        Ok(UpdateRow {
            organisation: row.parsed("updates.organisation")?,
            thing: row.parsed("updates.thing")?,
            product: row.parsed("updates.product")?,
            from_version: row.opt_text("updates.from_version")?,
            from_sha256: row.opt_parsed("updates.from_sha256")?,
            requested_by: row.opt_text("updates.requested_by")?,
            update: Update {
                id: row.parsed("updates.id")?,
                version: row.parsed("updates.version")?,
                sha256: row.parsed("updates.sha256")?,
                plain: row.flag("updates.plain")?,
                phase: row.parsed("updates.phase")?,
                outcome: row.opt_parsed("updates.outcome")?,
                reason: row.opt_int("updates.reason")?.and_then(reason),
                done_bytes: row.unsigned("updates.done_bytes")?,
                total_bytes: row.unsigned("updates.total_bytes")?,
                attempt: row.unsigned("updates.attempt")? as u32,
                cancel_requested: row.flag("updates.cancel_requested")?,
                requested_at: row.int("updates.requested_at")?,
                phase_at: row.int("updates.phase_at")?,
                bytes_at: row.int("updates.bytes_at")?,
                downloading_at: row.opt_int("updates.downloading_at")?,
                told_at: row.opt_int("updates.told_at")?,
                until_at: row.opt_int("updates.until_at")?,
                ended_at: row.opt_int("updates.ended_at")?,
            },
            decided_by: row.opt_parsed("updates.decided_by")?,
            put_off: row.opt_parsed("updates.put_off")?,
            is_downgrade: row.opt_int("updates.downgrade")? == Some(1),
        })
    }
}

/// A query of whole rows, in the order that `from_row` takes their columns.
macro_rules! select_updates {
    ($rest:literal) => {
        concat!(
            "SELECT organisation, thing, product, from_version, from_sha256, requested_by, id,
                 version, sha256, plain, phase, outcome, reason, done_bytes, total_bytes, attempt,
                 cancel_requested, requested_at, phase_at, bytes_at, downloading_at, told_at,
                 until_at, ended_at, decided_by, put_off, downgrade
             FROM updates ",
            $rest
        )
    };
}

pub(super) fn reason(number: i64) -> Option<Reason> {
    u8::try_from(number).ok().and_then(Reason::from_number)
}

/// Starts the record of an update.
pub fn insert_update(
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &UpdateRow,
    deadline_at: Option<i64>,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO updates (id, organisation, thing, product, version, sha256, from_version,
             from_sha256, requested_by, plain, phase, done_bytes, total_bytes, attempt,
             cancel_requested, requested_at, phase_at, bytes_at, decided_by, put_off,
             downgrade)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 'requested', 0, 0, 0, 0, $10, $11, $12,
             $13, $14, $15)",
        params![
            row.update.id.as_str(),
            scope.organisation().as_str(),
            row.thing.as_str(),
            row.product.as_str(),
            row.update.version.as_str(),
            row.update.sha256.to_string(),
            row.from_version.as_deref(),
            row.from_sha256.map(|sha256| sha256.to_string()),
            row.requested_by.as_deref(),
            row.update.requested_at,
            row.update.phase_at,
            row.update.bytes_at,
            row.decided_by.map(DecidedBy::as_str),
            row.put_off.map(PutOff::as_str),
            row.is_downgrade.then_some(true)
        ],
    )?;
    put_update(tx, scope, &row.update, deadline_at)
}

/// Stores where an update is now, and when silence will end it.
pub fn put_update(
    tx: &mut Tx<'_>,
    scope: &Scope,
    update: &Update,
    deadline_at: Option<i64>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE updates SET plain = $3, phase = $4, outcome = $5, reason = $6, done_bytes = $7,
             total_bytes = $8, attempt = $9, cancel_requested = $10, phase_at = $11,
             bytes_at = $12, downloading_at = $13, told_at = $14, until_at = $15, deadline_at = $16,
             ended_at = $17
         WHERE organisation = $1 AND id = $2",
        params![
            scope.organisation().as_str(),
            update.id.as_str(),
            update.plain,
            update.phase.as_str(),
            update.outcome.map(|outcome| outcome.as_str()),
            update.reason.map(|reason| i64::from(reason.number())),
            update.done_bytes,
            update.total_bytes,
            update.attempt,
            update.cancel_requested,
            update.phase_at,
            update.bytes_at,
            update.downloading_at,
            update.told_at,
            update.until_at,
            deadline_at,
            update.ended_at
        ],
    )?;
    Ok(())
}

/// Notes how an update was put off, or that it is no more.
pub fn set_update_put_off(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &UpdateId,
    put_off: Option<PutOff>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE updates SET put_off = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id.as_str(), put_off.map(PutOff::as_str)],
    )?;
    Ok(())
}

/// How updates of the device to this image ended; cancelled ones only since `since`, for they
/// are a person's word, unless it was that its signature counted no more.
pub fn ends_of_image(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    sha256: &Digest,
    since: i64,
) -> Result<Vec<String>, StoreError> {
    tx.all(
        "SELECT DISTINCT outcome FROM updates WHERE organisation = $1 AND thing = $2 AND sha256 = $3
             AND (outcome IN ('confirmed', 'failed', 'rolled_back', 'vanished')
                 OR outcome = 'cancelled' AND requested_at >= $4
                     AND coalesce(reason, 0) NOT IN ($5, $6))",
        params![
            scope.organisation().as_str(),
            thing.as_str(),
            sha256.to_string(),
            since,
            i64::from(Reason::KeyRevoked.number()),
            i64::from(Reason::ManifestUntrusted.number())
        ],
    )
}

/// How long the newest confirmed updates of a product took from being told, in milliseconds;
/// at most 50.
pub fn durations_of_product(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &otaru_wire::ProductName,
) -> Result<Vec<i64>, StoreError> {
    tx.all(
        "SELECT ended_at - told_at FROM updates
         WHERE organisation = $1 AND product = $2 AND outcome = 'confirmed' AND told_at IS NOT NULL
         ORDER BY id DESC LIMIT 50",
        params![scope.organisation().as_str(), product.as_str()],
    )
}

/// Updates of one device asked for since `since`, newest first, with an id below `below`.
pub fn updates_since(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    since: i64,
    below: &str,
    limit: u32,
) -> Result<Vec<UpdateRow>, StoreError> {
    tx.all(
        select_updates!(
            "WHERE organisation = $1 AND thing = $2 AND requested_at >= $3
                 AND ($4 = '' OR id < $4)
             ORDER BY id DESC LIMIT $5"
        ),
        params![scope.organisation().as_str(), thing.as_str(), since, below, limit],
    )
}

/// The update with this id.
pub fn update(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &UpdateId,
) -> Result<Option<UpdateRow>, StoreError> {
    tx.first(
        select_updates!("WHERE organisation = $1 AND id = $2"),
        params![scope.organisation().as_str(), id.as_str()],
    )
}

/// The newest update of a device, open or ended.
pub fn newest_update(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Option<UpdateRow>, StoreError> {
    tx.first(
        select_updates!(
            "WHERE organisation = $1 AND thing = $2
             ORDER BY requested_at DESC, id DESC LIMIT 1"
        ),
        params![scope.organisation().as_str(), thing.as_str()],
    )
}

/// Updates of the organisation, or of one device, newest first: all, or those with an id
/// below `below`.
pub fn updates(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: Option<&ThingName>,
    below: Option<&str>,
    limit: u32,
) -> Result<Vec<UpdateRow>, StoreError> {
    tx.all(
        select_updates!(
            "WHERE organisation = $1 AND ($2 = '' OR thing = $2)
                 AND ($3 = '' OR id < $3)
             ORDER BY id DESC LIMIT $4"
        ),
        params![
            scope.organisation().as_str(),
            thing.map_or("", |thing| thing.as_str()),
            below.unwrap_or_default(),
            limit
        ],
    )
}

/// An update that nobody asked to stop, though its release was withdrawn or devices refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopelessUpdate {
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// Which one.
    pub id: UpdateId,
    /// Why it has to stop.
    pub reason: Reason,
}

impl FromRow for HopelessUpdate {
    fn from_row(row: &mut Row) -> Result<HopelessUpdate, StoreError> {
        Ok(HopelessUpdate {
            organisation: row.parsed("updates.organisation")?,
            id: row.parsed("updates.id")?,
            reason: match (row.opt_int("releases.yanked_at")?, row.opt_int("keys.revoked")?) {
                (Some(_), _) => Reason::ReleaseYanked,
                (None, Some(_)) => Reason::KeyRevoked,
                (None, None) => Reason::ManifestUntrusted,
            },
        })
    }
}

/// Open updates that nobody asked to stop, to releases that were withdrawn or that devices
/// refuse, of every organisation.
pub fn hopeless_updates(
    tx: &mut Tx<'_>,
    _: &SystemScope,
) -> Result<Vec<HopelessUpdate>, StoreError> {
    tx.all(
        "SELECT updates.organisation, updates.id, releases.yanked_at, signing_keys.revoked
         FROM updates
         JOIN releases ON releases.product = updates.product AND releases.version = updates.version
         LEFT JOIN signing_keys ON signing_keys.product = releases.product
             AND signing_keys.key_id = releases.signer
         WHERE updates.outcome IS NULL AND updates.cancel_requested = 0
             AND (releases.yanked_at IS NOT NULL OR coalesce(signing_keys.revoked, 1) = 1)
         ORDER BY updates.id",
        params![],
    )
}

/// Open updates of a product that have a deadline, by id after `after`.
pub fn updates_with_deadline_of_product(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &otaru_wire::ProductName,
    after: &str,
    limit: u32,
) -> Result<Vec<UpdateRow>, StoreError> {
    tx.all(
        select_updates!(
            "WHERE organisation = $1 AND product = $2 AND deadline_at IS NOT NULL AND id > $3
             ORDER BY id LIMIT $4"
        ),
        params![scope.organisation().as_str(), product.as_str(), after, limit],
    )
}

/// Updates whose deadline has passed, oldest first, of every organisation.
pub fn updates_past_deadline(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    now: i64,
    limit: u32,
) -> Result<Vec<UpdateRow>, StoreError> {
    tx.all(
        select_updates!("WHERE deadline_at <= $1 ORDER BY deadline_at LIMIT $2"),
        params![now, limit],
    )
}

/// Every open update that has a deadline, of every organisation.
pub fn updates_with_deadline(
    tx: &mut Tx<'_>,
    _: &SystemScope,
) -> Result<Vec<UpdateRow>, StoreError> {
    tx.all(select_updates!("WHERE deadline_at IS NOT NULL AND outcome IS NULL"), params![])
}
