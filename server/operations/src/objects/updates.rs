use otaru_store::{DecidedBy, PutOff, UpdatePhaseRow, UpdateRow};
use otaru_wire::Reason;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// Why an update ended as it did, or why it waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReasonObject {
    /// Stable number.
    pub code: u8,
    /// Its name.
    pub name: &'static str,
}

/// One device's move to one release.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UpdateObject {
    /// Opaque id.
    pub id: String,
    /// The device.
    pub thing: String,
    /// The device's product.
    pub product: String,
    /// Version it moves to.
    pub version: String,
    /// Version that ran when it was asked for.
    pub from: Option<String>,
    /// Where it is; after the end, where it was.
    pub phase: &'static str,
    /// How it ended; null while it is open.
    pub outcome: Option<&'static str>,
    /// Why.
    pub reason: Option<ReasonObject>,
    /// Bytes read back from the device's flash.
    pub done: u64,
    /// Bytes of the whole work.
    pub total: u64,
    /// Rises when the device starts the work anew.
    pub attempt: u32,
    /// Somebody asked to stop it and the device has not answered yet.
    pub cancel_requested: bool,
    /// Who decided: `owner`, `operator`, `policy`, `backend` or, on its own screen, `device`.
    pub decided_by: Option<&'static str>,
    /// Whether it replaces newer software by older, as an operator and the publisher mean it to.
    pub downgrade: bool,
    /// How it was put off: `later`, to be asked again, or `tonight`.
    pub when: Option<&'static str>,
    /// Until when it is put off or waits; null when its owner is asked again.
    pub until: Option<String>,
    /// When it was asked for.
    pub requested_at: String,
    /// When the phase began.
    pub phase_at: String,
}

/// A phase, or the end, that an update came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UpdatePhaseObject {
    /// Where it was from then on.
    pub phase: &'static str,
    /// When it came there.
    pub at: String,
    /// The device's attempt.
    pub attempt: u32,
    /// How it ended, if that was its end; an end that was not the last one is followed by more.
    pub outcome: Option<&'static str>,
    /// Why.
    pub reason: Option<ReasonObject>,
}

/// An update with the phases it went through.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TracedUpdateObject {
    /// The update.
    #[serde(flatten)]
    pub update: UpdateObject,
    /// Where it was, oldest first; of more than 50 the first 10 and the newest 40.
    pub history: Vec<UpdatePhaseObject>,
}

fn reason_object(reason: Reason) -> ReasonObject {
    ReasonObject { code: reason.number(), name: reason.name() }
}

impl From<&UpdateRow> for UpdateObject {
    fn from(row: &UpdateRow) -> UpdateObject {
        let update = &row.update;
        UpdateObject {
            id: update.id.to_string(),
            thing: row.thing.to_string(),
            product: row.product.to_string(),
            version: update.version.to_string(),
            from: row.from_version.clone(),
            phase: update.phase.as_str(),
            outcome: update.outcome.map(|outcome| outcome.as_str()),
            reason: update.reason.map(reason_object),
            done: update.done_bytes,
            total: update.total_bytes,
            attempt: update.attempt,
            cancel_requested: update.cancel_requested && update.is_open(),
            decided_by: row.decided_by.map(DecidedBy::as_str),
            downgrade: row.is_downgrade,
            when: row.put_off.map(PutOff::as_str),
            until: update.until_at.map(time),
            requested_at: time(update.requested_at),
            phase_at: time(update.phase_at),
        }
    }
}

impl From<UpdatePhaseRow> for UpdatePhaseObject {
    fn from(row: UpdatePhaseRow) -> UpdatePhaseObject {
        UpdatePhaseObject {
            phase: row.phase.as_str(),
            at: time(row.at),
            attempt: row.attempt,
            outcome: row.outcome.map(|outcome| outcome.as_str()),
            reason: row.reason.map(reason_object),
        }
    }
}
