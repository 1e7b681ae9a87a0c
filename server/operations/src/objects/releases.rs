use otaru_fleet::{Approval, ApprovalState, ImageRecord, Safety, Sbom, Source, Texts, Warning};
use otaru_store::{DeviceRow, ReleaseRow, UploadRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::{RunningObject, time};
use crate::approvals;
use crate::uploads::UPLOAD_IDLE_MS;

/// A firmware: a draft, published, or withdrawn.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReleaseObject {
    /// Product it is for.
    pub product: String,
    /// Its version.
    pub version: String,
    /// `draft`, `waiting` for approval, `rejected`, `published` or `yanked`.
    pub state: &'static str,
    /// Who approved or rejected it; null of one that needed no approval.
    pub approval: Option<ApprovalObject>,
    /// SHA-256 of its image, lower hex: its identity.
    pub sha256: String,
    /// Size of its image in bytes.
    pub size: u64,
    /// Rises with every release of the product.
    pub sequence: u64,
    /// `stable`, `beta`, …
    pub channel: String,
    /// Plain-language notes: the English ones, or those there are.
    pub notes: String,
    /// The notes in each language.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub notes_by_language: Texts,
    /// What makes it urgent, if anything.
    #[schema(value_type = Option<Object>)]
    pub safety: Option<Safety>,
    /// What was read from its image: `format`, `chip`, `min_revision`, `max_revision`,
    /// `flash_bytes`, `flash_mode`, `project`, `project_version`, `idf_version`, `built`,
    /// `elf_sha256`, `secure_version`, `signature_blocks`, `has_appended_hash`. Null of one
    /// published before this was kept.
    #[schema(value_type = Option<Object>)]
    pub image: Option<ImageRecord>,
    /// What its publisher should look at: `code` and `detail` of each.
    #[schema(value_type = Vec<Object>)]
    pub warnings: Vec<Warning>,
    /// The security counter of its manifest.
    pub security_counter: Option<u32>,
    /// What it was built from: `repository` and `commit`.
    #[schema(value_type = Option<Object>)]
    pub source: Option<Source>,
    /// Its software bill of materials: `format`, `spec_version`, `components`, `sha256`, `size`.
    #[schema(value_type = Option<Object>)]
    pub sbom: Option<Sbom>,
    /// The key that signed its manifest, as 16 hex digits.
    pub signer_key_id: Option<String>,
    /// `trusted`, or why devices refuse it: `key_revoked` or `key_retired`, when its signer is no
    /// release key of the newest root document. Publishing it again, signed anew, mends that.
    pub trust: &'static str,
    /// Whether it was withdrawn.
    pub yanked: bool,
    /// When it was withdrawn.
    pub yanked_at: Option<String>,
    /// Why.
    pub yank_reason: Option<String>,
    /// When its image was deleted.
    pub image_deleted_at: Option<String>,
    /// When it was published; of a draft, uploaded.
    pub created_at: String,
}

impl From<ReleaseRow> for ReleaseObject {
    fn from(row: ReleaseRow) -> ReleaseObject {
        ReleaseObject {
            product: row.product.to_string(),
            version: row.version.to_string(),
            state: state(&row),
            approval: row.approval.and_then(ApprovalObject::of),
            sha256: row.sha256.to_string(),
            size: row.size_bytes,
            sequence: row.sequence,
            channel: row.channel,
            notes: row.notes.read_in("en").to_owned(),
            notes_by_language: row.notes,
            safety: row.safety,
            image: row.image,
            warnings: row.warnings,
            security_counter: row.security_counter,
            source: row.source,
            sbom: row.sbom,
            signer_key_id: row.signer.filter(|signer| !signer.is_empty()),
            trust: row.trust.as_str(),
            yanked: row.yanked_at.is_some(),
            yanked_at: row.yanked_at.map(time),
            yank_reason: row.yank_reason,
            image_deleted_at: row.image_deleted_at.map(time),
            created_at: time(row.created_at),
        }
    }
}

/// The word of a second person about a release.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApprovalObject {
    /// `waiting`, `approved` or `rejected`.
    pub state: &'static str,
    /// E-mail address of who published it; null of a program that acts for no person.
    pub asked_by: Option<String>,
    /// When they did.
    pub asked_at: Option<String>,
    /// E-mail address of who approved or rejected it.
    pub by: Option<String>,
    /// When they did.
    pub at: Option<String>,
    /// What they said about it.
    pub comment: Option<String>,
}

impl ApprovalObject {
    /// `None` as long as nobody wants it published.
    fn of(approval: Approval) -> Option<ApprovalObject> {
        let object = ApprovalObject {
            state: approval.state.as_str(),
            asked_by: approval.asked_by,
            asked_at: approval.asked_at.map(time),
            by: approval.decided_by,
            at: approval.decided_at.map(time),
            comment: approval.comment,
        };
        (approval.state != ApprovalState::Draft).then_some(object)
    }
}

fn state(row: &ReleaseRow) -> &'static str {
    match row.yanked_at {
        _ if row.is_draft => approvals::state(row).as_str(),
        Some(_) => "yanked",
        None => "published",
    }
}

/// A device with the release it runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunningDeviceObject {
    /// Its MQTT identity.
    pub thing: String,
    /// Whether a session of its certificate is open.
    pub online: bool,
    /// What it runs; null until it reported.
    pub running: Option<RunningObject>,
    /// The release that is; null when it is none of ours.
    pub release: Option<RunningReleaseObject>,
}

/// A release that a device runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunningReleaseObject {
    /// Its version.
    pub version: String,
    /// `published` or `yanked`.
    pub state: &'static str,
    /// `trusted`, `key_revoked` or `key_retired`, as of a release.
    pub trust: &'static str,
    /// Why it was withdrawn.
    pub yank_reason: Option<String>,
    /// Its sequence number.
    pub sequence: u64,
    /// Its channel.
    pub channel: String,
    /// What it was built from: `repository` and `commit`.
    #[schema(value_type = Option<Object>)]
    pub source: Option<Source>,
    /// Its software bill of materials: `format`, `spec_version`, `components`, `sha256`, `size`.
    #[schema(value_type = Option<Object>)]
    pub sbom: Option<Sbom>,
}

impl RunningDeviceObject {
    /// The device and its release.
    pub(crate) fn of(device: &DeviceRow, release: Option<ReleaseRow>) -> RunningDeviceObject {
        let known = device.running_version.is_some() || device.running_sha256.is_some();
        RunningDeviceObject {
            thing: device.thing.to_string(),
            online: device.online,
            running: known.then(|| RunningObject::of(device)),
            release: release.map(|row| RunningReleaseObject {
                version: row.version.to_string(),
                state: state(&row),
                trust: row.trust.as_str(),
                yank_reason: row.yank_reason,
                sequence: row.sequence,
                channel: row.channel,
                source: row.source,
                sbom: row.sbom,
            }),
        }
    }
}

/// An image on its way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UploadObject {
    /// Opaque id: what `upload` in the form of a release names.
    pub id: String,
    /// Bytes of the whole.
    pub size: u64,
    /// Bytes that are stored: where to go on.
    pub received: u64,
    /// When it is forgotten, unless it grows.
    pub expires_at: String,
}

impl From<UploadRow> for UploadObject {
    fn from(row: UploadRow) -> UploadObject {
        UploadObject {
            id: row.id,
            size: row.size_bytes,
            received: row.received_bytes,
            expires_at: time(row.touched_at + UPLOAD_IDLE_MS),
        }
    }
}
