//! Fleet provisioning: devices of a batch become things with a certificate they share.
//!
//! `templates.rs` says how, `claims.rs` who, `calls.rs` is what devices ask over MQTT, `answers.rs`
//! has it answered, and `queue.rs` is what operators decide.

mod answers;
mod calls;
mod claims;
mod pattern;
mod queue;
mod register;
mod templates;

use otaru_store::{ProvisioningRow, ProvisioningState, Scope, Tx};
use serde_json::json;

use crate::enrolment::DAY_MS;
use crate::events::{self, People};

pub(crate) use answers::answer_provisioning;
pub(crate) use claims::authenticate_claim;
pub use claims::{
    NewClaimCertificate, create_claim_certificate, list_claim_certificates,
    revoke_claim_certificate,
};
pub use pattern::ThingNamePattern;
pub use queue::{
    allow_reprovisioning, approve_provisioning, list_provisioning_queue, reject_provisioning,
};
pub use templates::{
    MOST_SERIALS, NewTemplate, add_template, list_templates, remove_template, show_template,
};

/// The longest life of a template and its claim certificates: devices wait in shops for years.
const LONGEST_DAYS: i64 = 10 * 365;

/// How long a device waits for an operator; then it asks again, or is gone.
pub(crate) const WAITING_MS: i64 = 7 * DAY_MS;

/// Devices that wait for an operator by one template: as many as somebody can look at.
const MOST_WAITING: u64 = 1_000;

/// Whether an operator can still decide about it.
fn still_waits(row: &ProvisioningRow, now: i64) -> bool {
    let since = now - WAITING_MS;
    row.state == ProvisioningState::Waiting && row.provisioned_at.is_some_and(|at| at > since)
}

/// Lets screens read the queue and the templates again.
fn changed(tx: &mut Tx<'_>, scope: &Scope) {
    let body = json!({});
    events::tick_after_commit(tx, scope, People::default(), "provisioning_changed", &body);
}
