use otaru_shadow::Rules;
use otaru_store::{ListedShadowRow, ShadowChange, ShadowChangeRow, ShadowRow};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::time;

/// A shadow that is not deleted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShadowObject {
    /// Its thing.
    pub thing: String,
    /// Its name; null for the classic one.
    pub name: Option<String>,
    /// Its version.
    pub version: u64,
    /// When it was last written.
    pub updated_at: String,
    /// Bytes of `desired` and `reported` in compact JSON: what counts against the limit.
    pub size: u64,
    /// Whether something is desired that is not reported.
    pub has_delta: bool,
}

/// One version of a shadow: who made it, and of what.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShadowChangeObject {
    /// The version that came of it.
    pub version: u64,
    /// When.
    pub at: String,
    /// Who.
    pub by: ShadowWriterObject,
    /// Whether the shadow was deleted.
    pub deleted: bool,
    /// The sections as they were written, `null` for what was removed; null if the shadow was
    /// deleted or this was too large to be kept.
    pub change: Option<Value>,
    /// Bytes of that in compact JSON.
    pub size: u64,
}

/// Who wrote a shadow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShadowWriterObject {
    /// `device` (the thing itself), `token`, `access_key`, `person`, `backend` (a program on the
    /// plain port) or `operation` (the server itself).
    pub kind: String,
    /// Its public id; of an operation what it was for: `update`, `settings`, `offer`,
    /// `giving_up` or `replacing`. Null for `device` and `backend`.
    pub id: Option<String>,
}

impl ShadowObject {
    pub(crate) fn of(listed: ListedShadowRow, rules: &Rules) -> ShadowObject {
        let ShadowRow { shadow, document, .. } = listed.row;
        ShadowObject {
            thing: shadow.thing.to_string(),
            name: shadow.name.map(|name| name.to_string()),
            version: document.version(),
            updated_at: time(listed.updated_at),
            size: document.state_bytes() as u64,
            has_delta: document.has_delta(rules),
        }
    }
}

impl From<ShadowChangeRow> for ShadowChangeObject {
    fn from(row: ShadowChangeRow) -> ShadowChangeObject {
        let (deleted, change, size) = match row.change {
            ShadowChange::Deleted => (true, None, 0),
            ShadowChange::UpdatedWith { size_bytes } => (false, None, size_bytes),
            ShadowChange::Updated(state) => (false, sections(&state), state.len() as u64),
        };
        let (kind, id) = match row.writer.split_once(':') {
            Some((kind, id)) => (kind.to_owned(), Some(id.to_owned())),
            None => (row.writer, None),
        };
        let by = ShadowWriterObject { kind, id };
        ShadowChangeObject { version: row.version, at: time(row.at), by, deleted, change, size }
    }
}

/// A `state` of `null` removes both sections.
fn sections(state: &str) -> Option<Value> {
    match serde_json::from_str(state) {
        Ok(Value::Null) => Some(json!({ "desired": null, "reported": null })),
        read => read.ok(),
    }
}
