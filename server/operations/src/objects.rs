//! The API's objects, as answers and events show them. Times are RFC 3339.

mod audit;
mod bucket;
mod certificates;
mod enrolment;
mod patches;
mod people;
mod releases;
mod second_factor;
mod server_authorities;
mod shadows;
mod trust;
mod updates;

use chrono::{DateTime, SecondsFormat, Utc};
use otaru_fleet::{ChipRevisions, Consent, ImageFormat, Limits, Setting, SettingKind};
use otaru_store::{DeviceRow, LogRow, ProductRow};
use serde::Serialize;
use utoipa::ToSchema;

pub use audit::{AuditActorObject, AuditEntryObject, AuditThingObject};
pub use bucket::BucketImageObject;
pub use certificates::{CertificateObject, DeviceAuthorityObject};
pub use enrolment::{
    ClaimCertificateObject, EnrolmentTokenObject, ProvisioningObject, TemplateObject,
};
pub use patches::PatchObject;
pub use people::{
    IdentitiesObject, IdentityObject, InvitationObject, OrganisationObject, ResetLinkObject,
    SessionObject, TokenObject, UserObject,
};
pub use releases::{
    ApprovalObject, ReleaseObject, RunningDeviceObject, RunningReleaseObject, UploadObject,
};
pub use second_factor::{NewSecondFactorObject, RecoveryCodesObject, SecondFactorObject};
pub use server_authorities::{ServerAuthorityObject, StandingDeviceObject};
pub use shadows::{ShadowChangeObject, ShadowObject, ShadowWriterObject};
pub use trust::{RootObject, ServerKeyObject};
pub use updates::{ReasonObject, TracedUpdateObject, UpdateObject, UpdatePhaseObject};

/// A kind of device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProductObject {
    /// Unique on the server.
    pub name: String,
    /// Chip name, such as `esp32c3`.
    pub chip: String,
    /// Size of the flash in bytes.
    pub flash_bytes: u64,
    /// Size of one slot in bytes.
    pub slot_bytes: u64,
    /// `device` or `public`.
    pub download: &'static str,
    /// How its images are read: `esp_idf` or `raw`.
    #[schema(value_type = String)]
    pub images: ImageFormat,
    /// The chip revisions of its devices, `{"min":n,"max":n}`, major × 100 + minor.
    #[schema(value_type = Option<Object>)]
    pub chip_revisions: Option<ChipRevisions>,
    /// How long an update may stay silent in each phase, in milliseconds.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub limits: Limits,
    /// Who decides when a release is installed.
    #[schema(value_type = Object)]
    pub consent: Consent,
    /// Its settings; null when any member of `config` may be set.
    #[schema(value_type = Option<Vec<Object>>)]
    pub settings: Option<Vec<Setting>>,
    /// Whether a release waits until a second person has approved it.
    pub approval_required: bool,
    /// When it was created.
    pub created_at: String,
}

/// What a device runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunningObject {
    /// Version label.
    pub version: Option<String>,
    /// SHA-256 of the running slot, if the device tells.
    pub sha256: Option<String>,
    /// Running slot, as the device names it.
    pub slot: Option<String>,
    /// `confirmed`, `trial` or `rolled_back`.
    pub state: Option<&'static str>,
}

/// One physical unit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceObject {
    /// Its MQTT identity.
    pub thing: String,
    /// What kind it is.
    pub product: String,
    /// The channel it follows: the newest release of it is offered.
    pub channel: String,
    /// Whether a session of its certificate is open.
    pub online: bool,
    /// When it was last heard.
    pub last_seen_at: Option<String>,
    /// Id of the person who claimed it.
    pub owner: Option<String>,
    /// What it runs; null until it reported.
    pub running: Option<RunningObject>,
    /// Its newest certificate; null when it is not known until when that holds.
    pub certificate: Option<DeviceCertificateObject>,
    /// Since when it is out of service.
    pub decommissioned_at: Option<String>,
    /// The device that took its place.
    pub replaced_by: Option<String>,
}

/// The certificate of a device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceCertificateObject {
    /// When it ends.
    pub not_after: String,
}

/// A release an owner can install.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AvailableRelease {
    /// Its version.
    pub version: String,
    /// Plain-language notes, in the reader's language if there are any.
    pub notes: String,
    /// Size of its image in bytes.
    pub size: u64,
    /// When it was published.
    pub published_at: String,
    /// How long installing it will take, in seconds.
    pub expected_s: u64,
    /// Who decides: `ask` (the owner), `night` or `now` (it begins by itself).
    pub decision: &'static str,
    /// When the night decides, if the owner has not by then.
    pub deadline_at: Option<String>,
    /// Why it is urgent, in the reader's language if it is.
    pub safety_reason: Option<String>,
    /// It failed or went back on this device before: it never begins by itself.
    pub failed_before: bool,
}

/// One thing a setting can be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnSettingChoice {
    /// As the device reads it.
    pub value: String,
    /// What people call it.
    pub label: String,
}

/// A setting of a device, in the reader's language.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnSettingObject {
    /// Member of `config`.
    pub name: String,
    /// `choice`, `text`, `integer`, `number` or `boolean`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: SettingKind,
    /// What people call it.
    pub label: String,
    /// What it does.
    pub help: Option<String>,
    /// What a choice can be.
    pub choices: Vec<OwnSettingChoice>,
    /// Least number.
    pub min: Option<f64>,
    /// Greatest number.
    pub max: Option<f64>,
    /// Longest text, in characters.
    pub max_length: Option<u32>,
    /// What the device does as long as nobody chose.
    pub default: Option<serde_json::Value>,
    /// Whether the reader may change it.
    pub editable: bool,
    /// What the device reports.
    pub value: Option<serde_json::Value>,
    /// What was wished.
    pub wished: Option<serde_json::Value>,
    /// `applied`, `waiting` for the device, or `unset`.
    pub state: &'static str,
}

/// Somebody who may use a device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PersonObject {
    /// User id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// `owner` or `shared`.
    pub access: &'static str,
    /// Since when.
    pub since: String,
}

/// A code that shares a device, shown once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShareCodeObject {
    /// To be entered where a claim code is.
    pub code: String,
    /// The page of the app that takes it.
    pub url: String,
    /// When it stops working.
    pub expires_at: String,
}

/// A device as its owner sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnDeviceObject {
    /// The device.
    #[serde(flatten)]
    pub device: DeviceObject,
    /// `owner`, or `shared` by somebody else.
    pub access: &'static str,
    /// The owner's name for it.
    pub name: Option<String>,
    /// IANA time zone for "tonight".
    pub time_zone: Option<String>,
    /// What the owner wants to happen with new releases: `ask`, `night` or `always`.
    pub install: &'static str,
    /// What the product says about it.
    #[schema(value_type = Object)]
    pub consent: Consent,
    /// What can be installed now, if anything.
    pub available: Option<AvailableRelease>,
    /// Its newest update.
    pub update: Option<UpdateObject>,
    /// Its settings; null when its product describes none.
    pub settings: Option<Vec<OwnSettingObject>>,
}

/// A stored log record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogObject {
    /// Its place in the log; give it back as `after` to continue.
    pub id: i64,
    /// When the server stored it.
    pub received_at: String,
    /// What the device wrote.
    pub record: serde_json::Value,
}

/// RFC 3339 with milliseconds, in UTC.
pub(crate) fn time(at_ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(at_ms)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl From<ProductRow> for ProductObject {
    fn from(row: ProductRow) -> ProductObject {
        ProductObject {
            name: row.name.to_string(),
            chip: row.chip,
            flash_bytes: row.flash_bytes,
            slot_bytes: row.slot_bytes,
            download: if row.public_download { "public" } else { "device" },
            images: row.images,
            chip_revisions: row.chip_revisions,
            limits: row.limits,
            consent: row.consent,
            settings: row.settings,
            approval_required: row.needs_approval,
            created_at: time(row.created_at),
        }
    }
}

impl From<&DeviceRow> for DeviceObject {
    fn from(row: &DeviceRow) -> DeviceObject {
        let known = row.running_version.is_some() || row.running_sha256.is_some();
        DeviceObject {
            thing: row.thing.to_string(),
            product: row.product.to_string(),
            channel: row.channel.clone(),
            online: row.online,
            last_seen_at: row.last_seen_at.map(time),
            owner: row.owner.clone(),
            running: known.then(|| RunningObject::of(row)),
            certificate: row
                .certificate_ends_at
                .map(|ends_at| DeviceCertificateObject { not_after: time(ends_at) }),
            decommissioned_at: row.decommissioned_at.map(time),
            replaced_by: row.replaced_by.clone(),
        }
    }
}

impl RunningObject {
    fn of(row: &DeviceRow) -> RunningObject {
        RunningObject {
            version: row.running_version.clone(),
            sha256: row.running_sha256.map(|sha256| sha256.to_string()),
            slot: row.running_slot.clone(),
            state: row.running_state.map(|state| state.as_str()),
        }
    }
}

impl From<LogRow> for LogObject {
    fn from(row: LogRow) -> LogObject {
        let record = serde_json::from_str(&row.record).unwrap_or(serde_json::Value::Null);
        LogObject { id: row.id, received_at: time(row.received_at), record }
    }
}
