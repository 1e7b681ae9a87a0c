//! What a report may say.

use otaru_release::Behaviour;
use serde_json::Value;

use super::{Judge, Violation, broken, hex};
use crate::oracle::Raw;

impl Judge {
    /// The agent published a report: I3.
    pub fn reported(&mut self, chip: &impl Raw, payload: &[u8]) -> Result<(), Violation> {
        let Some(running) = self.running else { return Ok(()) };
        let Ok(message) = serde_json::from_slice::<Value>(payload) else {
            return broken("I3", "a report is no JSON");
        };
        let firmware = &message["state"]["reported"]["firmware"];
        if let Some(found) = firmware["sha256"].as_str()
            && found != hex(&running.release.sha256)
        {
            return broken("I3", format!("reported {found}, which does not run"));
        }
        let config = &message["state"]["reported"]["config"];
        let version = config["firmware_version"].as_str();
        if let Some(version) = version
            && version != running.release.version.as_str()
        {
            return broken("I3", format!("reported version {version}, which does not run"));
        }
        // The label under config is what runs for good, as a state other than on trial is.
        let state = firmware["state"].as_str().filter(|&state| state != "trial");
        if (state.is_some() || version.is_some()) && !self.stays(chip) {
            return broken(
                "I3",
                format!("reported {state:?} and {version:?}, and what runs was never confirmed"),
            );
        }
        let last = &firmware["last"];
        if let (Some(update), true) = (last["update"].as_str(), last["outcome"].is_string()) {
            self.ended.push(update.to_owned());
        }
        if last["outcome"] == "confirmed" {
            if !self.stays(chip)
                || last["sha256"].as_str().is_some_and(|sha| sha != hex(&running.release.sha256))
            {
                return broken("I3", format!("reported confirmed, and it is not: {last}"));
            }
            if running.release.behaviour != Behaviour::Pass {
                return broken("I3", "confirmed firmware that fails its self-test");
            }
            self.told.push(running.release.number);
        }
        Ok(())
    }
}
