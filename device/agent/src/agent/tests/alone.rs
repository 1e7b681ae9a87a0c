//! An agent without a world: what it says to one message after another, each by itself.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use otaru_wire::{ShadowTopic, ShadowVerb, Topic};
use serde_json::{Value, json};

use super::flash::{Flash, boot_facts, image, version};
use super::world::config;
use crate::{Agent, BootFacts, Effect, Input, Moment, ResetCause, SettingId, Stored};

const ANSWERED: ShadowTopic = ShadowTopic::Accepted(ShadowVerb::Get);
const NO_ANSWER: ShadowTopic = ShadowTopic::Rejected(ShadowVerb::Get);
const TAKEN: ShadowTopic = ShadowTopic::Accepted(ShadowVerb::Update);
const REFUSED: ShadowTopic = ShadowTopic::Rejected(ShadowVerb::Update);
const DELETED: ShadowTopic = ShadowTopic::Accepted(ShadowVerb::Delete);

/// The agent, and what the next message to it needs.
struct Device {
    agent: Agent,
    now: Moment,
    /// Of the read or report that went out last.
    token: Value,
    /// The settings handed over last.
    handed: Vec<SettingId>,
}

impl Device {
    /// It asked for its shadow, and has no answer.
    fn asking_of(facts: &BootFacts) -> Device {
        let now = Moment { random: 0x0123_4567_89ab_cdef, ..Moment::default() };
        let agent = Agent::start(config(), facts, Stored::default(), now, &mut |_| {});
        let mut device = Device { agent, now, token: Value::Null, handed: Vec::new() };
        device.take(Input::LinkUp);
        assert_eq!(device.take(Input::Subscribed), ["read"]);
        device
    }

    /// It runs 1.0.4, and read this state as version 5. Answers what it says to that, too.
    fn that_read(state: &Value) -> (Device, Vec<String>) {
        let mut device = Device::asking_of(&facts());
        let said = device.hear(ANSWERED, &json!({"version": 5, "state": state}));
        (device, said)
    }

    /// The service has the whole truth about it.
    fn at_rest() -> Device {
        let (device, said) = Device::that_read(&json!({"reported": truth()}));
        assert!(said.is_empty(), "{said:?}");
        device
    }

    /// With one setting, which the service knows of by version 7.
    fn with_a_setting() -> Device {
        let mut device = Device::at_rest();
        let volume = json!({"config": {"volume": 3}});
        let said = device.hear(ShadowTopic::Delta, &json!({"version": 6, "state": volume}));
        assert_eq!(said, ["apply volume"]);
        let said = device.take(Input::SettingApplied(device.handed[0]));
        assert_eq!(said, [r#"report {"config":{"volume":3}}"#]);
        assert!(device.accept(7, &volume).is_empty());
        device
    }

    fn take(&mut self, input: Input<'_>) -> Vec<String> {
        let Device { agent, now, token, handed } = self;
        handed.clear();
        let mut said = Vec::new();
        agent.step(*now, input, &mut |effect| match effect {
            Effect::Publish { topic, payload, .. } => {
                let mut bytes = Vec::new();
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                said.push(match topic {
                    Topic::Shadow { topic, .. } => {
                        let request: Value = serde_json::from_slice(&bytes).unwrap();
                        *token = request["clientToken"].clone();
                        match topic == ShadowTopic::Request(ShadowVerb::Get) {
                            true => "read".into(),
                            false => format!("report {}", request["state"]["reported"]),
                        }
                    }
                    _ => format!("tell {}", String::from_utf8(bytes).unwrap()),
                });
            }
            Effect::ApplySetting { id, name, .. } => {
                handed.push(id);
                said.push(format!("apply {name}"));
            }
            Effect::Log(line) => said.push(line.message.concat()),
            _ => {}
        });
        said
    }

    fn hear(&mut self, topic: ShadowTopic, message: &Value) -> Vec<String> {
        let payload = message.to_string().into_bytes();
        self.take(Input::ShadowArrived { topic, payload: &payload })
    }

    /// The service takes the report that went out last.
    fn accept(&mut self, version: u64, reported: &Value) -> Vec<String> {
        let state = json!({"reported": reported});
        let message = json!({"version": version, "state": state, "clientToken": self.token});
        self.hear(TAKEN, &message)
    }

    /// The service takes what somebody else says of `reported`.
    fn hear_of(&mut self, version: u64, reported: &Value) -> Vec<String> {
        self.hear(TAKEN, &json!({"version": version, "state": {"reported": reported}}))
    }
}

fn facts() -> BootFacts {
    boot_facts(&Flash::factory(), ResetCause::PowerOn)
}

fn running() -> Value {
    json!(image(&version("1.0.4")))
}

/// Everything such a device reports.
fn truth() -> Value {
    let firmware = json!({
        "sha256": running(), "version": "1.0.4", "slot": "ota_0", "state": "confirmed",
    });
    json!({"config": {"firmware_version": "1.0.4"}, "firmware": firmware})
}

/// The truth, with these members of `firmware` beside it.
fn truth_and(others: &Value) -> Value {
    let mut truth = truth();
    let firmware = truth["firmware"].as_object_mut().unwrap();
    firmware.extend(others.as_object().unwrap().clone());
    truth
}

#[test]
fn a_token_is_the_random_number_in_hex_and_how_many_there_were() {
    let mut device = Device::asking_of(&facts());
    assert_eq!(device.token, "0123456789abcdef-1");
    device.hear(NO_ANSWER, &json!({"code": 404, "clientToken": device.token}));
    assert_eq!(device.token, "0123456789abcdef-2");
}

/// It may have been said before the wish was there.
#[test]
fn that_there_is_no_shadow_is_asked_again_when_one_was_heard_of_since() {
    let mut device = Device::asking_of(&facts());
    let asked = device.token.clone();
    let desired = json!({
        "config": {"firmware_version": "1.0.5"},
        "update": {"id": "u-1", "sha256": image(&version("1.0.5")), "attempt": 1},
    });
    let current = json!({"version": 6, "state": {"desired": desired}});
    device.hear(ShadowTopic::Documents, &json!({"current": current}));
    assert_eq!(device.hear(NO_ANSWER, &json!({"code": 404, "clientToken": asked})), ["read"]);
}

#[test]
fn the_answer_to_a_read_of_somebody_else_is_none() {
    let mut device = Device::asking_of(&facts());
    for token in ["0123456789abcdef-2", "fedcba9876543210-1", ""] {
        let said = device.hear(NO_ANSWER, &json!({"code": 404, "clientToken": token}));
        assert!(said.is_empty(), "{said:?}");
        assert!(!device.agent.is_online());
    }
    device.hear(NO_ANSWER, &json!({"code": 404, "clientToken": device.token}));
    assert!(device.agent.is_online());
}

#[test]
fn the_answer_to_a_report_of_somebody_else_is_none() {
    let (mut device, said) = Device::that_read(&json!({}));
    assert_eq!(said.len(), 1, "{said:?}");
    for token in ["0123456789abcdef-1", "other"] {
        for topic in [REFUSED, TAKEN] {
            let said = device.hear(topic, &json!({"code": 500, "clientToken": token}));
            assert!(said.is_empty(), "{said:?}");
        }
    }
    device.now.uptime_ms += config().answer_limit_ms;
    assert_eq!(device.take(Input::TimePassed), ["the report was not answered"]);
}

#[test]
fn a_removal_that_was_taken_is_not_said_again() {
    let reported = truth_and(&json!({"odd": 1}));
    let (mut device, said) = Device::that_read(&json!({"reported": reported}));
    assert_eq!(said, [r#"report {"firmware":{"odd":null}}"#]);
    let said = device.accept(6, &json!({"firmware": {"odd": null}}));
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(device.agent.wake_at_ms(), None);
}

#[test]
fn a_removal_of_something_else_leaves_what_has_to_go() {
    let reported = truth_and(&json!({"odd": 1}));
    let (mut device, _) = Device::that_read(&json!({"reported": reported}));
    device.hear_of(6, &json!({"firmware": {"other": null}}));
    device.hear(REFUSED, &json!({"code": 500, "clientToken": device.token}));
    device.now.uptime_ms = device.agent.wake_at_ms().expect("another try");
    assert_eq!(device.take(Input::TimePassed), [r#"report {"firmware":{"odd":null}}"#]);
}

/// Such a delta leaves out what is the same in `desired` and `reported`.
#[test]
fn a_delta_that_leaves_out_what_was_echoed_says_enough() {
    let update = json!({"id": "u-1", "sha256": running(), "attempt": 1});
    let mut reported = truth();
    reported["update"] = update.clone();
    let (mut device, said) =
        Device::that_read(&json!({"desired": {"update": update}, "reported": reported}));
    assert!(said.is_empty(), "{said:?}");
    for (version, patch, echo) in [
        (6, json!({"attempt": 2}), r#"report {"update":{"attempt":2}}"#),
        (8, json!({"id": "u-2"}), r#"report {"update":{"id":"u-2"}}"#),
    ] {
        let delta = json!({"version": version, "state": {"update": patch}});
        assert_eq!(device.hear(ShadowTopic::Delta, &delta), [echo]);
        assert!(device.accept(version + 1, &json!({"update": patch})).is_empty());
    }
}

/// What it leaves out is the image that was echoed, not the one known to be wished for, though
/// that stands elsewhere in `reported`.
#[test]
fn a_delta_that_leaves_out_what_was_not_echoed_is_read_in_full() {
    let other = json!(image(&version("1.0.5")));
    let mut reported = truth();
    reported["update"] = json!({"id": "u-1", "sha256": other, "attempt": 1});
    let update = json!({"id": "u-2", "sha256": running(), "attempt": 1});
    let (mut device, _) =
        Device::that_read(&json!({"desired": {"update": update}, "reported": reported}));
    let delta = json!({"version": 6, "state": {"update": {"id": "u-3"}}});
    assert_eq!(device.hear(ShadowTopic::Delta, &delta), ["read"]);
}

#[test]
fn what_is_as_old_as_what_is_known_brings_no_settings() {
    let mut device = Device::at_rest();
    let volume = json!({"config": {"volume": 3}});
    let delta = json!({"version": 5, "state": volume});
    let document = json!({"version": 4, "state": {"desired": volume}});
    for (topic, message) in [(ShadowTopic::Delta, delta), (ANSWERED, document)] {
        let said = device.hear(topic, &message);
        assert!(said.is_empty(), "{said:?}");
    }
}

#[test]
fn a_shadow_made_anew_is_followed_from_its_first_version_on() {
    let mut device = Device::at_rest();
    assert_eq!(device.hear(DELETED, &json!({"version": 5})), ["read"]);
    let said = device.hear(NO_ANSWER, &json!({"code": 404, "clientToken": device.token}));
    assert_eq!(said, [format!("report {}", truth())]);
    let delta = json!({"version": 1, "state": {"config": {"volume": 3}}});
    assert_eq!(device.hear(ShadowTopic::Delta, &delta), ["apply volume"]);
}

#[test]
fn settings_that_somebody_removes_from_reported_are_said_again() {
    let first = json!({"config": {"firmware_version": "1.0.4"}});
    for (removed, said_first) in [(json!({"config": null}), first), (Value::Null, truth())] {
        let mut device = Device::with_a_setting();
        assert_eq!(device.hear_of(8, &removed), [format!("report {said_first}")]);
        assert_eq!(device.accept(9, &said_first), [r#"report {"config":{"volume":3}}"#]);
    }
}

#[test]
fn what_others_say_beside_the_settings_has_them_not_said_again() {
    let mut device = Device::with_a_setting();
    for reported in [json!({"weather": "rain"}), json!({"config": {"placed_by_cable": 1}})] {
        let said = device.hear_of(8, &reported);
        assert!(said.is_empty(), "{said:?}");
    }
}

/// They are kept in the order of their names, and so is what was not said of them yet.
#[test]
fn settings_that_come_between_others_are_said_each_once() {
    let mut device = Device::at_rest();
    device.hear(ShadowTopic::Delta, &json!({"version": 6, "state": {"config": {"m": 1, "t": 2}}}));
    let mut handed = device.handed.clone().into_iter();
    assert_eq!(
        device.take(Input::SettingApplied(handed.next().unwrap())),
        [r#"report {"config":{"m":1}}"#]
    );
    let more = json!({"config": {"a": 3, "p": 4, "z": 5}});
    device.hear(ShadowTopic::Delta, &json!({"version": 7, "state": more}));
    for id in handed.chain(device.handed.clone()) {
        assert!(device.take(Input::SettingApplied(id)).is_empty(), "a report is on its way");
    }
    let rest = json!({"config": {"a": 3, "p": 4, "t": 2, "z": 5}});
    assert_eq!(device.accept(8, &json!({"config": {"m": 1}})), [format!("report {rest}")]);
    assert!(device.accept(9, &rest).is_empty());
    for (version, name) in [(10, "b"), (12, "y"), (14, "n")] {
        let one = json!({"config": {name: version}});
        device.hear(ShadowTopic::Delta, &json!({"version": version, "state": one}));
        let said = device.take(Input::SettingApplied(device.handed[0]));
        assert_eq!(said, [format!("report {one}")]);
        assert!(device.accept(version + 1, &one).is_empty());
    }
    let all = r#"{"a":3,"b":10,"m":1,"n":14,"p":4,"t":2,"y":12,"z":5}"#;
    assert_eq!(device.agent.settings(), all);
}

/// A setting that is an object is seen in the whole document alone once it was patched, and a
/// plain one by what was taken of it.
#[test]
fn each_setting_that_somebody_changes_in_reported_is_said_again_by_itself() {
    let mut device = Device::with_a_setting();
    let settings = json!({"volume": 3, "window": {"dim": 1}, "zoom": 2});
    let mut reported = truth();
    reported["config"].as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let state = json!({"desired": {"config": settings}, "reported": reported});
    let more = json!({"config": {"window": {"dim": 1}, "zoom": 2}});
    device.hear(ShadowTopic::Delta, &json!({"version": 8, "state": more}));
    for id in device.handed.clone() {
        device.take(Input::SettingApplied(id));
    }
    let (window, zoom) = (json!({"window": {"dim": 1}}), json!({"zoom": 2}));
    let said = device.accept(9, &json!({"config": window}));
    assert_eq!(said, ["read", r#"report {"config":{"zoom":2}}"#]);
    assert!(device.accept(10, &json!({"config": zoom})).is_empty());
    let said = device.hear(ANSWERED, &json!({"version": 10, "state": state}));
    assert!(said.is_empty(), "{said:?}");

    let plain = json!({"volume": 3, "zoom": 2});
    let mut version = 11;
    for (theirs, ours, is_read) in [
        (json!({"window": {"dim": 1}}), None, false),
        (json!({"volume": 9, "zoom": {"dim": 1}}), Some(&plain), false),
        (json!({"zoom": 7}), Some(&zoom), false),
        (json!({"window": 7}), Some(&window), true),
    ] {
        let said = device.hear_of(version, &json!({"config": theirs}));
        let expected: Vec<String> =
            ours.iter().map(|ours| format!("report {}", json!({"config": ours}))).collect();
        assert_eq!(said, expected, "{theirs}");
        if let Some(ours) = ours {
            let said = device.accept(version + 1, &json!({"config": ours}));
            assert_eq!(said == ["read"], is_read, "{theirs}: {said:?}");
            assert_eq!(said.is_empty(), !is_read, "{theirs}: {said:?}");
        }
        version += 2;
    }
}

#[test]
fn a_link_that_goes_down_before_a_report_is_through_is_a_line_in_the_log() {
    let (mut device, said) = Device::that_read(&json!({}));
    assert_eq!(said.len(), 1, "{said:?}");
    let line = "the link went down before the report was through";
    assert_eq!(device.take(Input::LinkDown), [line]);
    assert!(device.take(Input::LinkDown).is_empty(), "it was down before");
    assert!(Device::at_rest().take(Input::LinkDown).is_empty(), "nothing is owed");
}

/// Nothing is known of it, which says nothing about what the service has.
#[test]
fn firmware_without_a_label_leaves_the_release_in_reported_alone() {
    let mut facts = facts();
    facts.running.label = None;
    let mut device = Device::asking_of(&facts);
    let said = device.hear(ANSWERED, &json!({"version": 5, "state": {"reported": truth()}}));
    assert_eq!(said, [r#"report {"firmware":{"version":"unknown"}}"#]);
}

#[test]
fn a_message_of_progress_holds_no_member_that_says_nothing() {
    let mut device = Device::at_rest();
    let wish = json!({"config": {"firmware_version": "1.0.5"}});
    let said = device.hear(ShadowTopic::Delta, &json!({"version": 6, "state": wish}));
    assert_eq!(
        said,
        [
            "update to 1.0.5 begins",
            r#"tell {"version":"1.0.5","phase":"notified","done":0,"total":0,"attempt":1}"#,
        ]
    );
}

#[test]
fn an_uptime_that_falls_counts_as_the_last() {
    let mut device = Device::asking_of(&facts());
    device.now.uptime_ms = 5_000;
    device.take(Input::TimePassed);
    device.now.uptime_ms = 1_000;
    device.take(Input::LinkUp);
    assert_eq!(device.agent.wake_at_ms(), Some(5_000 + config().answer_limit_ms));
}
