//! When power goes.

use std::time::Duration;

use serde_json::Value;

use crate::seed::Seed;

/// What a device is at, in the order of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It starts.
    Boot,
    /// It looks at signed documents.
    Check,
    /// It writes a slot.
    Download,
    /// It verifies the slot, keeps the proof, arms the trial.
    Arm,
    /// It restarts, into the trial or back.
    Restart,
    /// New firmware looks for the broker.
    Trial,
    /// It tests itself, and confirms.
    Confirm,
    /// It says how it ended.
    Report,
}

impl Phase {
    /// All of them, and how long each takes about.
    pub const ALL: [(Phase, u64); 8] = [
        (Phase::Boot, 350),
        (Phase::Check, 500),
        (Phase::Download, 1500),
        (Phase::Arm, 150),
        (Phase::Restart, 150),
        (Phase::Trial, 400),
        (Phase::Confirm, 150),
        (Phase::Report, 80),
    ];

    /// The phase that begins with a line of the log.
    pub fn beginning_with(line: &Value, is_trial: bool, version: &str) -> Option<Phase> {
        let message = line["message"].as_str().unwrap_or("");
        match line["code"].as_str() {
            Some("OTA_DOWNLOADING") => Some(Phase::Download),
            Some("OTA_RECEIVED") => Some(Phase::Arm),
            Some("RESTARTING") => Some(Phase::Restart),
            Some("BROKER_CONNECTED") if is_trial => Some(Phase::Confirm),
            _ if message.starts_with("trial boot") => Some(Phase::Trial),
            _ if message.starts_with(&format!("update to {version} begins")) => Some(Phase::Check),
            _ if message.starts_with(&format!("update to {version}: ")) => Some(Phase::Report),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Boot => "boot",
            Phase::Check => "check",
            Phase::Download => "download",
            Phase::Arm => "arm",
            Phase::Restart => "restart",
            Phase::Trial => "trial",
            Phase::Confirm => "confirm",
            Phase::Report => "report",
        }
    }
}

/// So long after a phase began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The phase.
    pub phase: Phase,
    /// How long.
    pub after: Duration,
}

impl Plan {
    /// Some moment of some phase.
    pub fn some(seed: &mut Seed) -> Plan {
        let (phase, about_ms) = Phase::ALL[seed.below(Phase::ALL.len() as u64) as usize];
        Plan { phase, after: Duration::from_micros(seed.below(about_ms * 1000)) }
    }
}
