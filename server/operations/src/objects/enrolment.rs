use otaru_store::{ClaimCertificateRow, EnrolmentTokenRow, ProvisioningRow, TemplateRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// A token with which one device becomes a thing, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EnrolmentTokenObject {
    /// Public id.
    pub id: String,
    /// The thing its device will be.
    pub thing: String,
    /// What kind it is.
    pub product: String,
    /// When it was made.
    pub created_at: String,
    /// When it stops working.
    pub expires_at: String,
    /// When a device used it.
    pub used_at: Option<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// How devices of a batch become things.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TemplateObject {
    /// Its name, unique in the organisation.
    pub name: String,
    /// What kind of device it makes.
    pub product: String,
    /// What they are called, such as `clock-{SerialNumber}`.
    pub thing_name: String,
    /// How many it makes at most.
    pub device_limit: Option<u32>,
    /// How many it has made, those that wait for approval included.
    pub devices: u64,
    /// Certificates that one claim certificate gets in a minute.
    pub per_minute: u32,
    /// When it stops working.
    pub expires_at: Option<String>,
    /// Whether an operator approves of each device.
    pub approve: bool,
    /// How many serial numbers it is limited to; null when it is to none.
    pub serial_numbers: Option<u64>,
    /// When it was made.
    pub created_at: String,
}

/// A certificate of a whole batch, which opens nothing but its provisioning.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClaimCertificateObject {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// The template it provisions by.
    pub template: String,
    /// When it was issued.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A device that waits for an operator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProvisioningObject {
    /// Opaque id.
    pub id: String,
    /// The thing it wants to be.
    pub thing: String,
    /// By which template.
    pub template: String,
    /// Serial number of the batch's certificate that it came with.
    pub claim_certificate: String,
    /// Serial number of the certificate it has, which opens nothing yet.
    pub certificate: String,
    /// `PENDING_ACTIVATION`, `ACTIVE` or `REVOKED`: AWS's words.
    pub status: &'static str,
    /// SHA-256 of its public key.
    pub key_sha256: String,
    /// When it asked.
    pub requested_at: String,
}

impl From<&EnrolmentTokenRow> for EnrolmentTokenObject {
    fn from(row: &EnrolmentTokenRow) -> EnrolmentTokenObject {
        EnrolmentTokenObject {
            id: row.id.clone(),
            thing: row.thing.to_string(),
            product: row.product.to_string(),
            created_at: time(row.created_at),
            expires_at: time(row.expires_at),
            used_at: row.used.as_ref().map(|used| time(used.at)),
            revoked: row.revoked_at.is_some(),
        }
    }
}

impl TemplateObject {
    /// A template with what was made by it.
    pub(crate) fn of(row: &TemplateRow, devices: u64, serial_numbers: u64) -> TemplateObject {
        TemplateObject {
            name: row.name.to_string(),
            product: row.product.to_string(),
            thing_name: row.thing_name.clone(),
            device_limit: row.device_limit,
            devices,
            per_minute: row.per_minute,
            expires_at: row.expires_at.map(time),
            approve: row.approve,
            serial_numbers: row.serials.then_some(serial_numbers),
            created_at: time(row.created_at),
        }
    }
}

impl From<&ClaimCertificateRow> for ClaimCertificateObject {
    fn from(row: &ClaimCertificateRow) -> ClaimCertificateObject {
        ClaimCertificateObject {
            serial: row.serial.clone(),
            template: row.template.to_string(),
            created_at: time(row.created_at),
            expires_at: time(row.expires_at),
            revoked: row.revoked_at.is_some(),
        }
    }
}

impl From<&ProvisioningRow> for ProvisioningObject {
    fn from(row: &ProvisioningRow) -> ProvisioningObject {
        use otaru_store::ProvisioningState::{Active, Issued, Rejected, Waiting};
        ProvisioningObject {
            id: row.id.clone(),
            thing: row.thing.as_ref().map(ToString::to_string).unwrap_or_default(),
            template: row.template.to_string(),
            claim_certificate: row.claim.clone(),
            certificate: row.serial.clone(),
            status: match row.state {
                Issued | Waiting => "PENDING_ACTIVATION",
                Active => "ACTIVE",
                Rejected => "REVOKED",
            },
            key_sha256: row.key_sha256.clone(),
            requested_at: time(row.provisioned_at.unwrap_or(row.created_at)),
        }
    }
}
