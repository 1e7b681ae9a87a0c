//! Points that AWS's documents leave open, each read the other way.

use otaru_shadow::{
    Change, Dialect, Document, Limits, Rejection, Rules, UpdateRequest, VersionOfMissing,
    get_accepted, name_list,
};
use otaru_wire::{ShadowId, ShadowName, ThingName};
use serde_json::{Value, json};

fn rules(dialect: Dialect) -> Rules {
    Rules { dialect, ..Rules::default() }
}

fn updated(
    previous: Option<&Document>,
    payload: &str,
    rules: &Rules,
) -> Result<Document, Rejection> {
    let request = UpdateRequest::parse(payload.as_bytes(), rules)?;
    Document::apply(previous, &request, 7, rules)
}

fn read(message: Vec<u8>) -> Value {
    serde_json::from_slice(&message).unwrap()
}

#[test]
fn arrays_need_not_be_levels() {
    let nested = r#"{"state":{"desired":{"a":[[{"b":1}]]}}}"#;
    for (arrays_are_levels, levels) in [(true, 4), (false, 2)] {
        let dialect = Dialect { arrays_are_levels, ..Dialect::default() };
        let mut rules = rules(dialect);
        rules.limits.nesting_levels = levels;
        assert!(updated(None, nested, &rules).is_ok());
        rules.limits.nesting_levels = levels - 1;
        assert_eq!(updated(None, nested, &rules).unwrap_err().code, 400);
    }
}

#[test]
fn a_delete_need_not_take_a_version() {
    for (delete_takes_a_version, next) in [(true, 3), (false, 2)] {
        let rules = rules(Dialect { delete_takes_a_version, ..Dialect::default() });
        let first = updated(None, r#"{"state":{}}"#, &rules).unwrap();
        let again = updated(Some(&first.delete(&rules)), r#"{"state":{}}"#, &rules).unwrap();
        assert_eq!(again.version(), next);
    }
}

#[test]
fn a_missing_shadow_passes_the_versions_that_are_set() {
    for (version_of_missing, zero, other) in [
        (VersionOfMissing::Zero, true, false),
        (VersionOfMissing::Any, true, true),
        (VersionOfMissing::None, false, false),
    ] {
        let rules = rules(Dialect { version_of_missing, ..Dialect::default() });
        let passes = |payload: &str| updated(None, payload, &rules).is_ok();
        assert_eq!(passes(r#"{"state":{},"version":0}"#), zero, "{version_of_missing:?}");
        assert_eq!(passes(r#"{"state":{},"version":1}"#), other, "{version_of_missing:?}");
        assert!(passes(r#"{"state":{}}"#));
    }
}

#[test]
fn messages_follow_the_dialect() {
    let usual = Rules::default();
    let other = rules(Dialect {
        null_previous: false,
        delta_metadata: true,
        removed_keys_are_stamped: false,
        numbers_by_value: false,
        list_timestamp_in_ms: true,
        ..Dialect::default()
    });
    let payload = br#"{"state":{"desired":{"n":1,"b":{"c":null,"d":[2]}},"reported":{"n":1.0}}}"#;
    let request = UpdateRequest::parse(payload, &usual).unwrap();
    let current = Document::apply(None, &request, 7, &usual).unwrap();
    let change = Change { request: &request, previous: None, current: &current, at_s: 7 };

    let previous = |rules| read(change.documents(rules)).get("previous").cloned();
    assert_eq!((previous(&usual), previous(&other)), (Some(Value::Null), None));
    let stamped = |rules| read(change.accepted(rules))["metadata"]["desired"]["b"].clone();
    let stamp = json!({ "timestamp": 7 });
    assert_eq!(stamped(&usual), json!({ "c": stamp, "d": [stamp] }));
    assert_eq!(stamped(&other), json!({ "d": [stamp] }));
    let delta = |rules| change.delta(rules).map(read).unwrap()["state"].clone();
    assert_eq!(delta(&usual), json!({ "b": { "d": [2] } }));
    assert_eq!(delta(&other), json!({ "n": 1, "b": { "d": [2] } }));
    let metadata = |rules| read(get_accepted(&current, 9, None, rules))["metadata"].clone();
    assert_eq!(metadata(&usual).get("delta"), None);
    assert_eq!(metadata(&other)["delta"], json!({ "n": stamp, "b": { "d": [stamp] } }));
    let listed = |rules| read(name_list(&["cfg"], None, 7_654, rules))["timestamp"].clone();
    assert_eq!((listed(&usual), listed(&other)), (json!(7), json!(7_654)));
}

#[test]
fn texts_can_be_others() {
    let other = rules(Dialect {
        invalid_node_is_named: false,
        null_in_array_text: "no null".into(),
        throttled_text: "slower".into(),
        ..Dialect::default()
    });
    let refused = |payload| updated(None, payload, &other).unwrap_err().message;
    assert_eq!(refused(r#"{"state":{"else":1}}"#), "State contains an invalid node");
    assert_eq!(refused(r#"{"state":{"desired":{"a":[null]}}}"#), "no null");
    assert_eq!((other.throttled().code, other.throttled().message.as_str()), (429, "slower"));
}

#[test]
fn names_can_be_limited() {
    let limits = Limits { thing_name_bytes: 4, shadow_name_bytes: 3, ..Limits::default() };
    let rules = Rules { limits, ..Rules::default() };
    let thing = |name| ThingName::new(name).unwrap();
    let named = |name| ShadowId::named(thing("cl-1"), ShadowName::new(name).unwrap());
    assert_eq!(rules.check_names(&named("cfg")), Ok(()));
    let refused = rules.check_names(&named("conf")).unwrap_err();
    assert_eq!(refused.to_string(), "400 The shadow name may have 3 bytes, found 4");
    let refused = rules.check_names(&ShadowId::classic(thing("cl-01"))).unwrap_err();
    assert_eq!(refused.to_string(), "400 The thing name may have 4 bytes, found 5");
    let all = Rules::default();
    assert_eq!(all.check_names(&ShadowId::classic(thing(&"t".repeat(ThingName::MAX)))), Ok(()));
}
