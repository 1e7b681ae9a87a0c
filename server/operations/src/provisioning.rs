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

use otaru_store::{Scope, Tx};
use serde_json::json;

use crate::events::{self, People};

pub(crate) use answers::answer_provisioning;
pub(crate) use claims::authenticate_claim;
pub use claims::{
    NewClaimCertificate, create_claim_certificate, list_claim_certificates,
    revoke_claim_certificate,
};
pub use queue::{
    allow_reprovisioning, approve_provisioning, list_provisioning_queue, reject_provisioning,
};
pub use templates::{NewTemplate, add_template, list_templates, remove_template, show_template};

/// The longest life of a template and its claim certificates: devices wait in shops for years.
const LONGEST_DAYS: i64 = 10 * 365;

/// Lets screens read the queue and the templates again.
fn changed(tx: &mut Tx<'_>, scope: &Scope) {
    let body = json!({});
    events::tick_after_commit(tx, scope, People::default(), "provisioning_changed", &body);
}
