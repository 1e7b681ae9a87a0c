use otaru_store::BucketObjectRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// An image that was found in the watched bucket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BucketImageObject {
    /// Where it is, below the watched folder.
    pub path: String,
    /// The product that its path names.
    pub product: Option<String>,
    /// The version that its path names.
    pub version: Option<String>,
    /// `waiting` for its signature, `signed` (a draft or release has it), or `refused`.
    pub state: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of an image that was taken.
    pub sha256: Option<String>,
    /// Why it was refused.
    pub code: Option<String>,
    /// That, for people.
    pub detail: Option<String>,
    /// When it was put there.
    pub modified_at: String,
    /// When the server looked at it.
    pub found_at: String,
}

impl From<BucketObjectRow> for BucketImageObject {
    fn from(row: BucketObjectRow) -> BucketImageObject {
        let state = match (&row.code, row.is_signed) {
            (Some(_), _) => "refused",
            (None, true) => "signed",
            (None, false) => "waiting",
        };
        BucketImageObject {
            path: row.path,
            product: row.product,
            version: row.version,
            state: state.to_owned(),
            size: row.size_bytes,
            sha256: row.sha256.map(|digest| digest.to_string()),
            code: row.code,
            detail: row.detail,
            modified_at: time(row.modified_at),
            found_at: time(row.found_at),
        }
    }
}
