//! Decoders of `device/agent`: what its own storage, the shadow service and a server say.

use otaru_agent::{
    Agent, AgentConfig, Answer, Asked, BootFacts, Effect, EntryState, Input, Journal, Moment,
    ResetCause, Running, Stored, Target, Trust, Verdict, judge,
};
use otaru_wire::{Digest, Namespace, ShadowTopic, ShadowVerb, ThingName};
use serde_json::Value;

/// The journal, as a worn flash or other firmware left it.
pub(crate) fn journal(bytes: &[u8]) -> bool {
    let read = Journal::from_bytes(bytes);
    // Read or not, the agent starts with it.
    start(Stored { journal: bytes, ..Stored::default() });
    let Ok(journal) = read else { return false };
    assert_eq!(Journal::from_bytes(&journal.to_bytes()), Ok(journal));
    true
}

/// What a manifest said, kept beside a slot.
pub(crate) fn stored_target(bytes: &[u8]) -> bool {
    let Some(target) = Target::from_bytes(bytes) else { return false };
    assert_eq!(Target::from_bytes(&target.to_bytes()), Some(target));
    true
}

/// What the device remembers about signatures.
pub(crate) fn stored_trust(bytes: &[u8]) -> bool {
    let trust = Trust::from_bytes(bytes);
    if trust.is_lost() {
        return false;
    }
    assert_eq!(Trust::from_bytes(&trust.to_bytes()), trust);
    trust != Trust::default()
}

/// Settings that were in force before this boot.
pub(crate) fn stored_settings(bytes: &[u8]) -> bool {
    let agent = start(Stored { settings: bytes, ..Stored::default() });
    let read = serde_json::from_slice::<serde_json::Map<String, Value>>(bytes);
    let kept = serde_json::from_str::<serde_json::Map<String, Value>>(agent.settings());
    let kept = match kept {
        Err(error) if is_too_large(&error) => return true,
        kept => kept.expect("settings are an object"),
    };
    // What has no room, or is too deep for a device, is lost; what is kept is what it was.
    let has_null = bytes.windows(4).any(|word| word == b"null");
    for (name, value) in &kept {
        let found = read.as_ref().expect("it is JSON").get(name);
        assert!(found == Some(value) || has_null && found.is_some(), "{name} was {found:?}");
    }
    !kept.is_empty()
}

/// Two messages of the shadow service, by lines; a digit before each says on which topic.
pub(crate) fn shadow_messages(bytes: &[u8]) -> bool {
    let mut agent = start(Stored::default());
    let nothing = br#"{"state":{},"version":1}"#;
    let read = ShadowTopic::Accepted(ShadowVerb::Get);
    step(&mut agent, Input::LinkUp);
    step(&mut agent, Input::Subscribed);
    step(&mut agent, Input::ShadowArrived { topic: read, payload: nothing });
    let mut taken = false;
    for line in bytes.split(|&byte| byte == b'\n').take(2) {
        let Some((&digit, payload)) = line.split_first() else { continue };
        let topic = match digit {
            b'0' => read,
            b'1' => ShadowTopic::Rejected(ShadowVerb::Get),
            b'2' => ShadowTopic::Accepted(ShadowVerb::Update),
            b'3' => ShadowTopic::Rejected(ShadowVerb::Update),
            b'4' => ShadowTopic::Documents,
            b'5' => ShadowTopic::Accepted(ShadowVerb::Delete),
            _ => ShadowTopic::Delta,
        };
        taken |= step(&mut agent, Input::ShadowArrived { topic, payload });
    }
    taken
}

/// The head of a partial answer.
pub(crate) fn content_range(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let asked = Asked { offset: 100, total: 1000 };
    let answer = Answer { status: 206, content_range: Some(text), ..Answer::default() };
    match judge(asked, answer) {
        Verdict::Append => {
            assert!(text.contains("100") && text.ends_with("1000"));
            true
        }
        Verdict::Fail(_) => false,
        verdict => panic!("a partial answer is {verdict:?}"),
    }
}

fn start(stored: Stored<'_>) -> Agent {
    let thing = ThingName::new("clock-01").expect("a name");
    let facts = BootFacts {
        running: Running {
            slot: "ota_0",
            sha256: Digest::of(b"running"),
            label: "1.0.4".try_into().ok(),
            label_is_certain: true,
            sequence: 4,
            security_counter: 0,
        },
        running_entry: EntryState::Valid,
        other_entry: EntryState::Aborted,
        other_image: Some(Digest::of(b"given up")),
        reset: ResetCause::PowerOn,
    };
    let config = AgentConfig {
        asks_product: true,
        shows_offers: true,
        ..AgentConfig::new(thing, Namespace::default())
    };
    Agent::start(config, &facts, stored, Moment::default(), &mut check)
}

/// Whether the agent wants anything done.
fn step(agent: &mut Agent, input: Input<'_>) -> bool {
    let (mut has_effects, mut asked) = (false, Vec::new());
    agent.step(Moment::default(), input, &mut |effect| {
        has_effects = true;
        if let Effect::ApplySetting { id, .. } = effect {
            asked.push(id);
        }
        check(effect);
    });
    // Half of the settings are taken, and all of them answered.
    for (nth, id) in asked.into_iter().enumerate() {
        let answer =
            if nth % 2 == 0 { Input::SettingApplied(id) } else { Input::SettingRefused(id) };
        agent.step(Moment::default(), answer, &mut check);
        agent.step(Moment::default(), Input::RestoreRefused, &mut check);
    }
    has_effects
}

/// What the agent stores it can read, and what it says is JSON.
fn check(effect: Effect<'_>) {
    match effect {
        Effect::SaveJournal(bytes) => {
            Journal::from_bytes(bytes).expect("the agent reads its own journal");
        }
        Effect::SaveSettings(json) => is_json(json.as_bytes()),
        Effect::ApplySetting { name, value, .. } | Effect::RestoreSetting { name, value } => {
            is_json(format!("{{\"{name}\":{value}}}").as_bytes());
        }
        Effect::Publish { payload, .. } => {
            let mut bytes = Vec::new();
            payload.write(&mut |piece| bytes.extend_from_slice(piece));
            is_json(&bytes);
        }
        _ => {}
    }
}

fn is_json(bytes: &[u8]) {
    match serde_json::from_slice::<Value>(bytes) {
        Err(error) if is_too_large(&error) => {}
        read => drop(read.expect("what is said is JSON")),
    }
}

/// A number no machine has, as `1e999`, is JSON all the same: a device keeps and says its digits.
fn is_too_large(error: &serde_json::Error) -> bool {
    format!("{error}").starts_with("number out of range")
}
