use otaru_release::{PublicKey, RootDocument};
use otaru_store::ServerKeyRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// A key that signs timestamps and orders, where a root document names it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServerKeyObject {
    /// The first 8 bytes of the SHA-256 of the public half, in hex.
    pub key_id: String,
    /// Its public half, as in `root.pub`.
    pub public_key: String,
    /// When it was made.
    pub created_at: String,
}

/// A root document: whose signatures count.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RootObject {
    /// Its number, from 1.
    pub number: u64,
    /// Keys that may sign the next one.
    pub root_key_ids: Vec<String>,
    /// Keys that may sign manifests.
    pub release_key_ids: Vec<String>,
    /// The key that signs timestamps and orders; null where none are required.
    pub server_key_id: Option<String>,
    /// Keys that must never count again.
    pub revoked_key_ids: Vec<String>,
    /// From when on it is too old to trust; null is never.
    pub expires_at: Option<String>,
}

impl From<ServerKeyRow> for ServerKeyObject {
    fn from(row: ServerKeyRow) -> ServerKeyObject {
        let ServerKeyRow { key_id, public_key, created_at, .. } = row;
        ServerKeyObject { key_id, public_key, created_at: time(created_at) }
    }
}

impl From<RootDocument> for RootObject {
    fn from(root: RootDocument) -> RootObject {
        let ids = |keys: &[PublicKey]| keys.iter().map(|key| key.id().to_string()).collect();
        RootObject {
            number: root.number,
            root_key_ids: ids(&root.root_keys),
            release_key_ids: ids(&root.release_keys),
            server_key_id: root.server_key.map(|key| key.id().to_string()),
            revoked_key_ids: root.revoked.iter().map(ToString::to_string).collect(),
            expires_at: root.expires_at.map(|at| time(at.saturating_mul(1_000))),
        }
    }
}
