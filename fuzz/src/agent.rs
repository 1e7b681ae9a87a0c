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
    assert_eq!(agent.settings(), &read.unwrap_or_default());
    !agent.settings().is_empty()
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
        taken |= !step(&mut agent, Input::ShadowArrived { topic, payload }).is_empty();
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
            slot: "ota_0".into(),
            sha256: Digest::of(b"running"),
            label: Some("1.0.4".into()),
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
    let (agent, effects) = Agent::start(config, &facts, stored, Moment::default());
    check(&effects);
    agent
}

fn step(agent: &mut Agent, input: Input<'_>) -> Vec<Effect> {
    let effects = agent.step(Moment::default(), input);
    check(&effects);
    effects
}

/// What the agent stores it can read, and what it says is JSON.
fn check(effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::SaveJournal(bytes) => {
                Journal::from_bytes(bytes).expect("the agent reads its own journal");
            }
            Effect::SaveSettings(bytes) | Effect::Publish { payload: bytes, .. } => {
                serde_json::from_slice::<Value>(bytes).expect("messages are JSON");
            }
            _ => {}
        }
    }
}
