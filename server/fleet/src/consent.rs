//! Who decides when a release is installed: the product's rule, the owner's choice, and what
//! a safety release may change about both.

use serde::{Deserialize, Serialize};

use crate::Texts;

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A product's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Consent {
    /// The owner decides, for as long as they like.
    Ask {
        /// Somebody at the device may decide in the owner's place, where it has a screen for it.
        #[serde(default, skip_serializing_if = "is_no")]
        ask_on_device: bool,
    },
    /// The owner decides; who has not by then gets it at night.
    Deadline {
        /// Days after the release was published, 1 to 365.
        deadline_days: u32,
        /// Somebody at the device may decide in the owner's place, where it has a screen for it.
        #[serde(default, skip_serializing_if = "is_no")]
        ask_on_device: bool,
    },
    /// At night, without being asked.
    Night,
    /// At once, without being asked.
    Forced,
}

/// An owner's choice for one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallChoice {
    /// Ask me about each release.
    #[default]
    Ask,
    /// Install by itself, at night.
    Night,
    /// Install by itself, at once.
    Always,
}

/// What makes a release urgent, for the owner to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Safety {
    /// Hours after publishing until it is installed at night, 1 to 8760.
    pub deadline_hours: u32,
    /// Why, in plain language.
    pub reason: Texts,
}

/// What is known about a release that a device could install.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// When it could first be installed: published, or the device claimed, whichever is later.
    pub since: i64,
    /// Its safety note, if any.
    pub safety: Option<&'a Safety>,
    /// It failed or went back on this device before.
    pub failed_before: bool,
    /// Somebody stopped it on this device before.
    pub declined: bool,
}

/// What is to happen with an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The owner is asked; at the deadline, if there is one, the night decides.
    Ask {
        /// Milliseconds since the epoch.
        deadline_at: Option<i64>,
    },
    /// The next night.
    Tonight,
    /// At once.
    Now,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_no(flag: &bool) -> bool {
    !flag
}

impl Default for Consent {
    fn default() -> Consent {
        Consent::Ask { ask_on_device: false }
    }
}

impl Consent {
    /// Whether somebody at the device may decide in the owner's place.
    pub fn asks_on_device(&self) -> bool {
        match self {
            Consent::Ask { ask_on_device } | Consent::Deadline { ask_on_device, .. } => {
                *ask_on_device
            }
            Consent::Night | Consent::Forced => false,
        }
    }

    /// Whether its numbers make sense.
    pub fn is_sane(&self) -> bool {
        match self {
            Consent::Deadline { deadline_days, .. } => (1..=365).contains(deadline_days),
            Consent::Ask { .. } | Consent::Night | Consent::Forced => true,
        }
    }

    /// What happens with an offer now.
    ///
    /// Nothing is ever installed by itself that failed on this device before.
    pub fn decide(&self, choice: InstallChoice, offer: &Offer<'_>, now: i64) -> Decision {
        if offer.failed_before {
            return Decision::Ask { deadline_at: None };
        }
        let own_deadline = match self {
            // Stopped today, it comes at night: not at once again.
            Consent::Forced if offer.declined => return Decision::Tonight,
            Consent::Forced => return Decision::Now,
            Consent::Night => return Decision::Tonight,
            Consent::Ask { .. } => None,
            Consent::Deadline { deadline_days, .. } => Some(i64::from(*deadline_days) * DAY_MS),
        };
        let safety = offer.safety.map(|safety| i64::from(safety.deadline_hours) * HOUR_MS);
        let time = own_deadline.into_iter().chain(safety).min();
        let deadline_at = time.map(|time| offer.since + time);
        // A choice for all releases does not stand against a word on this one.
        match if offer.declined { InstallChoice::Ask } else { choice } {
            InstallChoice::Always => Decision::Now,
            InstallChoice::Night => Decision::Tonight,
            InstallChoice::Ask if deadline_at.is_some_and(|at| at <= now) => Decision::Tonight,
            InstallChoice::Ask => Decision::Ask { deadline_at },
        }
    }
}

impl InstallChoice {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            InstallChoice::Ask => "ask",
            InstallChoice::Night => "night",
            InstallChoice::Always => "always",
        }
    }
}

impl std::str::FromStr for InstallChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<InstallChoice, String> {
        [InstallChoice::Ask, InstallChoice::Night, InstallChoice::Always]
            .into_iter()
            .find(|choice| choice.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not ask, night or always"))
    }
}

impl Safety {
    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<String> {
        const REASON_BYTES: usize = 2_000;
        if !(1..=8_760).contains(&self.deadline_hours) {
            return Some("deadline_hours is 1 to 8760".to_owned());
        }
        if self.reason.read_in("en").trim().is_empty() {
            return Some("reason: an owner must read why".to_owned());
        }
        self.reason.fault(REASON_BYTES).map(|fault| format!("reason: {fault}"))
    }
}

/// When an owner who has not decided is reminded, in days after the first offer. Never more
/// often: whoever does not want it has said so by then.
const REMINDERS_DAYS: [i64; 3] = [1, 3, 7];

/// When the next reminder is due, for an offer first made at `since` of which `sent` reminders
/// were sent; `None` when it was the last.
pub fn next_reminder(since: i64, sent: u32) -> Option<i64> {
    REMINDERS_DAYS.get(sent as usize).map(|days| since + days * DAY_MS)
}

#[cfg(test)]
mod tests;
