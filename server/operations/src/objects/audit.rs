use otaru_store::AuditRow;
use otaru_wire::Digest;
use otaru_wire::audit::hash_of;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::time;

/// An entry of the audit log. Its hash is over all its other members: nothing is ever added to
/// them or taken away without another version of that hash.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditEntryObject {
    /// The log it is in: the id of an organisation, or `server`.
    pub log: String,
    /// Its number there, from 1 on, without a gap.
    pub sequence: u64,
    /// When it happened.
    pub at: String,
    /// Who did it.
    pub actor: AuditActorObject,
    /// What was done, such as `release.publish`.
    pub action: String,
    /// What it was done to.
    pub object: AuditThingObject,
    /// What changed, as it was; null where it was made.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What changed, as it became; null where it ended.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// The address it was asked for from; null where nobody asked over HTTP.
    pub address: Option<String>,
    /// The program it was asked for with.
    pub user_agent: Option<String>,
    /// The id of the request, as in the server's own records.
    pub request: Option<String>,
    /// The hash of the entry before; zeros in the first.
    pub prev_hash: String,
    /// SHA-256 over a version byte and the canonical JSON of all other members.
    pub hash: String,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditActorObject {
    /// `person`, `token`, `access_key`, `device`, `claim`, `backend`, `stranger` or `server`.
    pub kind: String,
    /// Its public id.
    pub id: Option<String>,
    /// What it was called then: an e-mail address, a label.
    pub name: Option<String>,
    /// Id of the person that a token acted for.
    pub person: Option<String>,
}

/// What something was done to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditThingObject {
    /// `user`, `device`, `release` and so on.
    pub kind: String,
    /// Which one: its id, or what its path is made of.
    pub id: String,
    /// What it was called then, if that is not its id.
    pub name: Option<String>,
}

impl AuditEntryObject {
    /// The hash that it must have.
    pub(crate) fn computed_hash(&self) -> Digest {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => hash_of(&members),
            _ => unreachable!("an entry is an object of texts and JSON"),
        }
    }
}

impl From<AuditRow> for AuditEntryObject {
    fn from(row: AuditRow) -> AuditEntryObject {
        // What is no JSON any more is shown as it is, and fails its hash.
        let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        AuditEntryObject {
            log: row.log,
            sequence: row.sequence,
            at: time(row.at),
            actor: AuditActorObject {
                kind: row.actor_kind,
                id: row.actor_id,
                name: row.actor_name,
                person: row.actor_person,
            },
            action: row.action,
            object: AuditThingObject {
                kind: row.object_kind,
                id: row.object_id,
                name: row.object_name,
            },
            before: row.before.map(json),
            after: row.after.map(json),
            address: row.address,
            user_agent: row.user_agent,
            request: row.request,
            prev_hash: row.prev_hash,
            hash: row.hash,
        }
    }
}
