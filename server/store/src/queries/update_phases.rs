use otaru_fleet::Update;
use otaru_wire::UpdateId;

use super::updates::reason;
use crate::{
    Scope, StoreError, Tx, UpdatePhaseRow,
    value::{FromRow, Row, params},
};

/// Phases kept of one update: a device that comes and goes must not fill the disk.
const KEPT: i64 = 50;

/// Of those, the first ones: how it began is never dropped.
const FIRST: i64 = 10;

impl FromRow for UpdatePhaseRow {
    fn from_row(row: &mut Row) -> Result<UpdatePhaseRow, StoreError> {
        Ok(UpdatePhaseRow {
            phase: row.parsed("update_phases.phase")?,
            outcome: row.opt_parsed("update_phases.outcome")?,
            reason: row.opt_int("update_phases.reason")?.and_then(reason),
            attempt: row.unsigned("update_phases.attempt")? as u32,
            at: row.int("update_phases.at")?,
        })
    }
}

/// Notes that an update came to the phase or the end it is at now. Of too many, those in the
/// middle go.
pub fn insert_update_phase(
    tx: &mut Tx<'_>,
    scope: &Scope,
    update: &Update,
    now: i64,
) -> Result<(), StoreError> {
    let (organisation, id) = (scope.organisation().as_str(), update.id.as_str());
    let last: Option<i64> = tx.first(
        "SELECT coalesce(max(number), -1) FROM update_phases
         WHERE organisation = $1 AND update_id = $2",
        params![organisation, id],
    )?;
    let number = last.unwrap_or(-1) + 1;
    tx.execute(
        "INSERT INTO update_phases
             (organisation, update_id, number, phase, outcome, reason, attempt, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            organisation,
            id,
            number,
            update.phase.as_str(),
            update.outcome.map(|outcome| outcome.as_str()),
            update.reason.map(|reason| i64::from(reason.number())),
            update.attempt,
            now
        ],
    )?;
    if number >= KEPT {
        tx.execute(
            "DELETE FROM update_phases
             WHERE organisation = $1 AND update_id = $2 AND number >= $3 AND number <= $4",
            params![organisation, id, FIRST, number - (KEPT - FIRST)],
        )?;
    }
    Ok(())
}

/// The phases an update went through, oldest first.
pub fn update_phases(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &UpdateId,
) -> Result<Vec<UpdatePhaseRow>, StoreError> {
    tx.all(
        "SELECT phase, outcome, reason, attempt, at FROM update_phases
         WHERE organisation = $1 AND update_id = $2 ORDER BY number",
        params![scope.organisation().as_str(), id.as_str()],
    )
}
