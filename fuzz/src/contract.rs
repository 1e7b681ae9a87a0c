//! Decoders of `contract/wire`.

use otaru_wire::audit::Chain;
use otaru_wire::notifications::{Event, ListenUpdatesRequest, ListenUpdatesResponse};
use otaru_wire::payload::{
    DesiredUpdate, FirmwareReport, LogRecord, PresencePayload, Progress, UpdateOffer,
};
use otaru_wire::{
    DeviceConfig, Digest, Namespace, Outcome, Phase, ProductName, PublishShadowDesired,
    PublishShadowUpdate, ReleaseVersion, ShadowName, ThingName, Topic, UpdateId,
    is_filter_of_thing, is_topic_filter,
};
use prost::Message;
use serde_json::{Map, Value};

/// Entries of the audit log, a line each.
pub(crate) fn audit_chain(bytes: &[u8]) -> bool {
    let mut chain = Chain::default();
    let mut is_whole = true;
    for line in bytes.split(|&byte| byte == b'\n') {
        let entry: Value = serde_json::from_slice(line).unwrap_or_default();
        if let Err(flaw) = chain.take(&entry) {
            assert!(!flaw.to_string().is_empty());
            let _named = flaw.sequence();
            is_whole = false;
        }
    }
    is_whole
}

/// Topic names.
pub(crate) fn topics(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let namespace = Namespace::default();
    let Some(topic) = Topic::parse(&namespace, text) else { return false };
    assert_eq!(topic.format(&namespace), text);
    if let Some(thing) = topic.thing() {
        assert!(text.contains(thing.as_str()));
    }
    true
}

/// What a device must never hear.
const FOREIGN: [&str; 8] = [
    "$aws/things/clock-02/shadow/update/delta",
    "$aws/things/clock-0/shadow/name/cfg/update/documents",
    "$aws/things/clock-011/shadow/get/accepted",
    "$aws/events/presence/connected/clock-01",
    "mia/things/clock-02/logs",
    "mia/things/clock-02/update/progress",
    "other/things/clock-01/logs",
    "commands/clock-01",
];

/// Topic filters that a device asks for, and topics it publishes on.
pub(crate) fn topic_filters(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let (namespace, thing) = (Namespace::default(), ThingName::new("clock-01").expect("a name"));
    let is_heard = is_filter_of_thing(&namespace, &thing, text);
    if is_heard {
        assert!(is_topic_filter(text), "{text}");
        for topic in FOREIGN {
            assert!(!matches(text, topic), "{text} hears {topic}");
        }
    }
    let said = Topic::parse(&namespace, text).filter(Topic::is_for_clients_to_publish);
    if said.is_some() {
        assert!(!text.contains(['+', '#', '\0']), "{text}");
    }
    is_heard || said.is_some()
}

/// MQTT's own rule, level by level.
fn matches(filter: &str, topic: &str) -> bool {
    let (filter, topic): (Vec<_>, Vec<_>) =
        (filter.split('/').collect(), topic.split('/').collect());
    let (filter, has_rest) = match filter.split_last() {
        Some((&"#", parents)) => (parents, true),
        _ => (&filter[..], false),
    };
    let is_as_long = topic.len() == filter.len() || (has_rest && topic.len() > filter.len());
    is_as_long && filter.iter().zip(&topic).all(|(level, name)| *level == "+" || level == name)
}

/// Names, digests and words.
pub(crate) fn names(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let taken = [
        ThingName::new(text).map(|name| name.to_string()).ok(),
        ShadowName::new(text).map(|name| name.to_string()).ok(),
        ProductName::new(text).map(|name| name.to_string()).ok(),
        ReleaseVersion::new(text).map(|name| name.to_string()).ok(),
        UpdateId::new(text).map(|name| name.to_string()).ok(),
        text.parse().map(|phase: Phase| phase.to_string()).ok(),
        text.parse().map(|outcome: Outcome| outcome.to_string()).ok(),
    ];
    for name in taken.iter().flatten() {
        assert_eq!(name, text);
    }
    let digest = text.parse::<Digest>();
    if let Ok(digest) = digest {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
    digest.is_ok() || taken.iter().any(Option::is_some)
}

/// Payloads of the log topic.
pub(crate) fn log_records(bytes: &[u8]) -> bool {
    let Ok(records) = LogRecord::parse_payload(bytes) else { return false };
    for record in records {
        let again = LogRecord::parse_payload(&record.to_json());
        assert_eq!(again.as_deref(), Ok([record].as_slice()));
    }
    true
}

/// Payloads of the progress topic.
pub(crate) fn progress(bytes: &[u8]) -> bool {
    let Ok(progress) = Progress::parse_payload(bytes) else { return false };
    assert_eq!(Progress::parse_payload(&progress.to_json()), Ok(progress));
    true
}

/// Presence events.
pub(crate) fn presence(bytes: &[u8]) -> bool {
    let Ok(event) = PresencePayload::parse_payload(bytes) else { return false };
    assert_eq!(PresencePayload::parse_payload(&event.to_json()), Ok(event));
    true
}

/// The members of a shadow that agent and server keep between them.
pub(crate) fn firmware_members(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
    let report = FirmwareReport::from_value(&value);
    if let Ok(report) = &report {
        assert_eq!(FirmwareReport::from_value(&report.to_value()).as_ref(), Ok(report));
    }
    let update = DesiredUpdate::from_value(&value);
    if let Ok(update) = &update {
        assert_eq!(DesiredUpdate::from_value(&update.to_value()).as_ref(), Ok(update));
    }
    let offer = UpdateOffer::from_value(&value);
    if let Ok(offer) = &offer {
        assert_eq!(UpdateOffer::from_value(&offer.to_value()).as_ref(), Ok(offer));
    }
    report.is_ok() || update.is_ok() || offer.is_ok()
}

/// What an app asks for; and bodies of the event log, of any kind.
pub(crate) fn listen_updates(bytes: &[u8]) -> bool {
    if let Ok(request) = ListenUpdatesRequest::decode(bytes) {
        let again = ListenUpdatesRequest::decode(request.encode_to_vec().as_slice());
        assert_eq!(again.as_ref(), Ok(&request));
    }
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let Some((kind, body)) = text.split_once(' ') else { return false };
    let response = ListenUpdatesResponse::event(Some(1), kind, body);
    let again = ListenUpdatesResponse::decode(response.encode_to_vec().as_slice());
    assert_eq!(again.as_ref(), Ok(&response));
    !matches!(response.event, None | Some(Event::Other(_)))
}

/// The settings message, as protobuf and as the JSON of `desired`.
pub(crate) fn device_config(bytes: &[u8]) -> bool {
    if let Ok(update) = PublishShadowUpdate::decode(bytes) {
        let mut request = Map::new();
        update.merge_into(&mut request);
        return true;
    }
    let Ok(Value::Object(mut desired)) = serde_json::from_slice(bytes) else { return false };
    let Ok(read) = PublishShadowDesired::from_map(&desired) else { return false };
    let before = desired.clone();
    read.merge_into(&mut desired);
    assert_eq!(desired, before, "what was read is there already");
    let again =
        DeviceConfig::decode(read.config.clone().unwrap_or_default().encode_to_vec().as_slice());
    assert_eq!(again.ok(), Some(read.config.unwrap_or_default()));
    true
}
