//! Names of members, each in one place: for who reads and writes them without a tree of values.
//!
//! The types of [`payload`](super) have the same names by their fields.

/// The sections of a shadow's document, and what is in them on the way.
pub const STATE: &str = "state";
/// What somebody wishes.
pub const DESIRED: &str = "desired";
/// What the device says.
pub const REPORTED: &str = "reported";
/// The document as it is, in a message of before and after.
pub const CURRENT: &str = "current";
/// The document's version; in other objects the label of a release.
pub const VERSION: &str = "version";
/// What whoever asked calls the question.
pub const CLIENT_TOKEN: &str = "clientToken";
/// A refusal's number.
pub const CODE: &str = "code";

/// The settings.
pub const CONFIG: &str = "config";
/// The setting that is none: which release to run.
pub const FIRMWARE_VERSION: &str = "firmware_version";
/// Which update the server means.
pub const UPDATE: &str = "update";
/// What somebody at the device may decide about.
pub const UPDATE_OFFER: &str = "update_offer";
/// What the device runs.
pub const FIRMWARE: &str = "firmware";

/// An image.
pub const SHA256: &str = "sha256";
/// A slot.
pub const SLOT: &str = "slot";
/// What the device makes of what it runs; the same word as [`STATE`].
pub const FIRMWARE_STATE: &str = STATE;
/// Whether somebody at the device can be asked.
pub const SHOWS_OFFERS: &str = "shows_offers";
/// How the last update ended.
pub const LAST: &str = "last";
/// How it ended.
pub const OUTCOME: &str = "outcome";
/// Why.
pub const REASON: &str = "reason";
/// What was seen of root and timestamp.
pub const TRUST: &str = "trust";
/// A root document's number.
pub const ROOT: &str = "root";
/// When the timestamp was signed.
pub const TIMESTAMP: &str = "timestamp";
/// An update's id.
pub const ID: &str = "id";
/// Which try it is.
pub const ATTEMPT: &str = "attempt";
/// Length of an image.
pub const SIZE: &str = "size";
/// What was decided at the device.
pub const DECISION: &str = "decision";

/// Where an update is.
pub const PHASE: &str = "phase";
/// Bytes done.
pub const DONE: &str = "done";
/// Bytes in all.
pub const TOTAL: &str = "total";
/// When the device tries again.
pub const UNTIL: &str = "until";
/// In how long it tries again.
pub const WAIT_MS: &str = "wait_ms";

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use serde_json::{Value, json};

    use super::*;
    use crate::payload::{
        DesiredUpdate, FirmwareReport, FirmwareState, LastUpdate, OfferDecision, Progress,
        TrustReport, UpdateOffer,
    };
    use crate::{Digest, Outcome, Phase, Reason, ReleaseVersion, UpdateId};

    fn names(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(|name| name.as_str()).collect()
    }

    fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
        names.sort_unstable();
        names
    }

    #[test]
    fn fields_and_constants_are_the_same_names() {
        let (sha256, version) = (Digest([1; 32]), ReleaseVersion::new("1.0.5").unwrap());
        let (id, reason) = (UpdateId::new("u-1").unwrap(), Some(Reason::Cancelled));
        let report = FirmwareReport {
            sha256,
            version: version.to_string(),
            slot: "ota_0".into(),
            state: FirmwareState::Trial,
            last: Some(LastUpdate {
                update: Some(id.clone()),
                version: version.to_string(),
                sha256,
                outcome: Outcome::Failed,
                reason,
            }),
            shows_offers: true,
            trust: Some(TrustReport { root: 1, timestamp: Some(2), reason }),
        };
        let report = report.to_value();
        let of_firmware = [SHA256, VERSION, SLOT, FIRMWARE_STATE, SHOWS_OFFERS, LAST, TRUST];
        assert_eq!(names(&report), sorted(of_firmware));
        assert_eq!(names(&report[LAST]), sorted([UPDATE, VERSION, SHA256, OUTCOME, REASON]));
        assert_eq!(names(&report[TRUST]), sorted([ROOT, TIMESTAMP, REASON]));
        let update = DesiredUpdate { id, sha256, attempt: 1 }.to_value();
        assert_eq!(names(&update), sorted([ID, SHA256, ATTEMPT]));
        let decision = Some(OfferDecision::Now);
        let offer = UpdateOffer { version: version.clone(), sha256, size: 1, decision };
        assert_eq!(names(&offer.to_value()), sorted([VERSION, SHA256, SIZE, DECISION]));
        let progress = Progress {
            version,
            phase: Phase::Waiting,
            done: 1,
            total: 2,
            attempt: 1,
            until: Some(3),
            wait_ms: Some(4),
            reason,
        };
        let progress = serde_json::from_slice::<Value>(&progress.to_json()).unwrap();
        let of_progress = [VERSION, PHASE, DONE, TOTAL, ATTEMPT, UNTIL, WAIT_MS, REASON];
        assert_eq!(names(&progress), sorted(of_progress));
    }

    #[test]
    fn a_wish_of_the_settings_message_is_found_by_the_constants() {
        let config = crate::DeviceConfig { firmware_version: Some("1".into()), phrase_type: None };
        let mut request = serde_json::Map::new();
        crate::PublishShadowUpdate::desire(config).merge_into(&mut request);
        let wish = json!({ STATE: { DESIRED: { CONFIG: { FIRMWARE_VERSION: "1" } } } });
        assert_eq!(Value::Object(request), wish);
    }
}
