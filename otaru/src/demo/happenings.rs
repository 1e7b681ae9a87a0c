//! What the terminal tells of the server's events.

use std::collections::HashMap;

use otaru_client::{Event, Update};

use super::owner::describe;

/// Lines of a download: one for each tenth, since somebody watches it.
const STEPS: u64 = 10;

/// Turns events into lines, each said once as long as nothing else happens to the device.
#[derive(Default)]
pub(crate) struct Happenings {
    last: HashMap<String, String>,
}

impl Happenings {
    /// The line of an event, if it has one that was not said just before.
    pub(crate) fn line(&mut self, event: &Event) -> Option<String> {
        let thing = event.body["thing"].as_str()?;
        let line = line(thing, event)?;
        let last = self.last.insert(thing.to_owned(), line.clone());
        (last.as_ref() != Some(&line)).then_some(line)
    }
}

fn line(thing: &str, event: &Event) -> Option<String> {
    match event.kind.as_str() {
        "update_changed" | "update_finished" => {
            let update: Update = serde_json::from_value(event.body.clone()).ok()?;
            let what = match (update.outcome.as_deref(), &update.from) {
                (Some("confirmed"), _) => format!(", runs {}", update.version),
                (Some("rolled_back" | "failed"), Some(from)) => format!(", kept {from}"),
                _ => String::new(),
            };
            Some(describe(&update, STEPS) + &what)
        }
        "firmware_available" => {
            Some(format!("{thing}: {} can be installed", event.body["version"].as_str()?))
        }
        "settings_changed" => Some(format!("{thing}: wished {}", event.body["settings"])),
        "device_online" => Some(format!("{thing}: online")),
        "device_offline" => Some(format!("{thing}: offline")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(kind: &str, more: Value) -> Event {
        let mut body = json!({ "thing": "clock-01", "version": "1.0.5", "settings": { "dim": 3 } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Event { id: None, kind: kind.to_owned(), body }
    }

    fn update(kind: &str, phase: &str, done: u64, outcome: Option<&str>) -> Event {
        let reason = json!({ "code": 33, "name": "self_test_failed" });
        let more = json!({
            "id": "0198c0de-0000-7000-8000-000000000001", "from": "1.0.4", "phase": phase,
            "outcome": outcome, "reason": (outcome == Some("rolled_back")).then_some(reason),
            "done": done, "total": 1000, "attempt": 1, "until": null,
            "requested_at": "2026-11-25T12:00:00Z", "phase_at": "2026-11-25T12:00:00Z",
        });
        event(kind, more)
    }

    #[test]
    fn each_step_is_told_once() {
        let mut happenings = Happenings::default();
        let events = [
            event("firmware_available", json!({})),
            event("device_changed", json!({})),
            update("update_changed", "downloading", 0, None),
            update("update_changed", "downloading", 99, None),
            update("update_changed", "downloading", 100, None),
            event("device_offline", json!({})),
            event("device_online", json!({})),
            update("update_finished", "testing", 1000, Some("rolled_back")),
            update("update_finished", "testing", 1000, Some("confirmed")),
            event("settings_changed", json!({})),
        ];
        let lines: Vec<String> = events.iter().filter_map(|event| happenings.line(event)).collect();
        assert_eq!(
            lines,
            [
                "clock-01: 1.0.5 can be installed",
                "clock-01: downloading 0 %",
                "clock-01: downloading 10 %",
                "clock-01: offline",
                "clock-01: online",
                "clock-01: rolled_back (self_test_failed), kept 1.0.4",
                "clock-01: confirmed, runs 1.0.5",
                "clock-01: wished {\"dim\":3}",
            ]
        );
    }
}
