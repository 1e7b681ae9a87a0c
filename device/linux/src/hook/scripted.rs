//! Hooks for demonstrations and tests: a fixed wait, or a file in place of a screen.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use otaru_agent::{Before, Decision, Hold, Input};
use otaru_wire::payload::OfferDecision;

use super::{Buttons, Hook};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The wait while the file says nothing that can be understood.
const UNREADABLE: Decision = Decision::Later { wait_ms: 60_000, hold: Hold::NotNow };

impl Hook {
    /// Says later once at each question of each release, for `wait`, and then now.
    pub fn deferring(wait: Duration) -> Hook {
        let asked = Mutex::new(HashSet::<(String, Before)>::new());
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Hook::new(move |question| {
            let key = (question.version.to_string(), question.before);
            let is_first = asked.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
            let later = Decision::Later { wait_ms, hold: Hold::NotNow };
            std::future::ready(if is_first { later } else { Decision::Now })
        })
    }

    /// Answers what `file` says: `now`, `refuse`, or `later SECONDS` with `not_now`,
    /// `low_battery` or `busy` behind it. No file is now. Changing it is pressing the button.
    ///
    /// Must be called in a tokio runtime, whose task watches the file.
    pub fn in_file(file: impl Into<PathBuf>) -> Hook {
        let file = file.into();
        let path = file.clone();
        let hook = Hook::new(move |question| {
            let decision = read(&path);
            tracing::info!(before = ?question.before, %question.version, ?decision, "Asked");
            std::future::ready(decision)
        });
        tokio::spawn(watch(file, Arc::downgrade(&hook.buttons)));
        hook
    }

    /// The same hook with a screen before which somebody answers every offer so at once.
    #[must_use]
    pub fn answering_offers(self, decision: OfferDecision) -> Hook {
        let buttons = Arc::clone(&self.buttons);
        self.with_screen(move |offer| {
            if let Some(offer) = offer {
                buttons.press(Input::OfferDecided { version: offer.version, decision });
            }
        })
    }
}

fn read(file: &PathBuf) -> Decision {
    match std::fs::read_to_string(file) {
        Ok(text) => text.parse::<Scripted>().map_or_else(
            |error| {
                tracing::warn!(error = %error, "Decision file is not understood");
                UNREADABLE
            },
            |Scripted(decision)| decision,
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Decision::Now,
        Err(error) => {
            tracing::warn!(error = %error, "Decision file could not be read");
            UNREADABLE
        }
    }
}

/// Reports every change of the file until nobody holds the hook any more.
async fn watch(file: PathBuf, buttons: Weak<Buttons>) {
    let mut before = std::fs::read(&file).ok();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(buttons) = buttons.upgrade() else { return };
        let now = std::fs::read(&file).ok();
        if now != before {
            before = now;
            buttons.press(Input::DecisionChanged);
        }
    }
}

/// A decision as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scripted(Decision);

/// Text that is no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DecisionFileError {
    found: String,
}

impl fmt::Display for DecisionFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "found {:?}, expected now, refuse or later SECONDS [not_now|low_battery|busy]",
            self.found
        )
    }
}

impl std::error::Error for DecisionFileError {}

impl FromStr for Scripted {
    type Err = DecisionFileError;

    fn from_str(text: &str) -> Result<Scripted, DecisionFileError> {
        let error = || DecisionFileError { found: text.chars().take(80).collect() };
        let words: Vec<&str> = text.split_whitespace().collect();
        let later = |seconds: &str, hold| {
            let seconds: u64 = seconds.parse().map_err(|_| error())?;
            Ok(Scripted(Decision::Later { wait_ms: seconds.saturating_mul(1_000), hold }))
        };
        match words[..] {
            ["now"] => Ok(Scripted(Decision::Now)),
            ["refuse"] => Ok(Scripted(Decision::Refuse)),
            ["later", seconds] | ["later", seconds, "not_now"] => later(seconds, Hold::NotNow),
            ["later", seconds, "low_battery"] => later(seconds, Hold::LowBattery),
            ["later", seconds, "busy"] => later(seconds, Hold::Busy),
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_read_as_they_are_written() {
        let read = |text: &str| text.parse::<Scripted>().map(|Scripted(decision)| decision);
        let later = |wait_ms, hold| Ok(Decision::Later { wait_ms, hold });
        assert_eq!(read("now\n"), Ok(Decision::Now));
        assert_eq!(read(" refuse "), Ok(Decision::Refuse));
        assert_eq!(read("later 90"), later(90_000, Hold::NotNow));
        assert_eq!(read("later 1 low_battery\n"), later(1_000, Hold::LowBattery));
        assert_eq!(read(&format!("later {} busy", u64::MAX)), later(u64::MAX, Hold::Busy));
        for wrong in ["", "later", "later soon", "later 1 tired", "no", "now now"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
