//! What holds for every history of a shadow.

use std::collections::BTreeMap;

use otaru_shadow::{Change, Document, Rules, UpdateRequest, get_accepted};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::reference;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(1)),
        Just(json!(1.0)),
        Just(json!(-2)),
        Just(json!(0.5)),
        Just(json!("a")),
        Just(json!(true)),
        Just(json!("1")),
        any::<f64>().prop_filter_map("JSON has no NaN", |number| {
            number.is_finite().then(|| json!(number))
        }),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "timestamp", "desired", "ä/~"]).prop_map(String::from)
}

/// A value that can be stored.
fn stored() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            object(inner),
        ]
    })
}

/// A value of a patch: `null` too, but not below an array.
fn change() -> impl Strategy<Value = Value> {
    prop_oneof![2 => Just(Value::Null), 5 => stored()].prop_recursive(
        3,
        12,
        3,
        |inner| prop_oneof![1 => inner.clone(), 3 => object(inner)],
    )
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(key(), value, 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn section() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(Value::Null)), 6 => object(change()).prop_map(Some)]
}

/// The value of `state` in a request.
fn patch() -> impl Strategy<Value = Value> {
    let sections = (section(), section()).prop_map(|(desired, reported)| {
        let named = [("desired", desired), ("reported", reported)].into_iter();
        let members = named.filter_map(|(name, section)| Some((name.to_string(), section?)));
        Value::Object(members.collect())
    });
    prop_oneof![1 => Just(Value::Null), 15 => sections]
}

fn request(state: &Value) -> UpdateRequest {
    UpdateRequest::from_state(state.clone(), &Rules::default()).unwrap()
}

fn apply(previous: Option<&Document>, state: &Value, now_s: i64) -> Document {
    Document::apply(previous, &request(state), now_s, &Rules::default()).unwrap()
}

/// The state with both sections, as stored.
fn state_of(document: &Document) -> Value {
    let sections = [("desired", document.desired()), ("reported", document.reported())];
    let existing = sections.into_iter().filter(|(_, section)| !section.is_empty());
    Value::Object(
        existing
            .map(|(name, section)| (name.to_string(), Value::Object(section.clone())))
            .collect(),
    )
}

fn read(message: Vec<u8>) -> Value {
    serde_json::from_slice(&message).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// State, stamps, delta and version after any history are what the reference says.
    #[test]
    fn history_agrees_with_the_reference(patches in prop::collection::vec(patch(), 1..6)) {
        let mut document: Option<Document> = None;
        let mut state = json!({});
        let mut stamps = BTreeMap::new();
        for (index, patch) in patches.iter().enumerate() {
            let now_s = 100 + index as i64;
            let current = apply(document.as_ref(), patch, now_s);
            state = reference::state_after(&state, patch);
            stamps = reference::stamps_after(&stamps, &state, patch, now_s);

            prop_assert_eq!(current.version(), index as u64 + 1);
            prop_assert_eq!(&state_of(&current), &state);
            let got = read(get_accepted(&current, 500, None, &Rules::default()));
            prop_assert_eq!(&got["metadata"], &reference::metadata(&state, &stamps));

            let section = |name| state.get(name).cloned().unwrap_or(json!({}));
            let delta = reference::delta(&section("desired"), &section("reported"));
            prop_assert_eq!(current.delta(&Rules::default()).map(Value::Object), delta.clone());
            prop_assert_eq!(current.has_delta(&Rules::default()), delta.is_some());
            prop_assert_eq!(got["state"].get("delta"), delta.as_ref());

            let size: usize = state.as_object().unwrap().values().map(|s| s.to_string().len()).sum();
            prop_assert_eq!(current.state_bytes(), size);
            document = Some(current);
        }
    }

    /// The same patch again changes stamps and version only.
    #[test]
    fn merge_is_idempotent(before in patch(), patch in patch()) {
        let before = apply(None, &before, 1);
        let once = apply(Some(&before), &patch, 2);
        let twice = apply(Some(&once), &patch, 3);
        prop_assert_eq!(state_of(&once), state_of(&twice));
        prop_assert_eq!(twice.version(), once.version() + 1);
    }

    /// Reporting the delta closes the gap.
    #[test]
    fn delta_reported_leaves_no_delta(first in patch(), second in patch()) {
        let document = apply(Some(&apply(None, &first, 1)), &second, 2);
        if let Some(delta) = document.delta(&Rules::default()) {
            let reported = apply(Some(&document), &json!({"reported": delta}), 3);
            prop_assert_eq!(reported.delta(&Rules::default()), None);
        }
    }

    /// A delta message carries the stamps of desired at its own paths, and its shape.
    #[test]
    fn delta_metadata_is_desired_metadata(first in patch(), second in patch()) {
        fn agrees(state: &Value, metadata: &Value, desired: &Value) -> bool {
            match (state, metadata, desired) {
                (Value::Object(state), Value::Object(metadata), Value::Object(desired)) => {
                    state.len() == metadata.len()
                        && state.iter().all(|(key, state)| {
                            agrees(state, &metadata[key], &desired[key])
                        })
                }
                (_, metadata, desired) => metadata == desired,
            }
        }
        let before = apply(None, &first, 1);
        let request = request(&second);
        let current = Document::apply(Some(&before), &request, 2, &Rules::default()).unwrap();
        let change = Change { request: &request, previous: Some(&before), current: &current, at_s: 2 };
        if let Some(delta) = change.delta(&Rules::default()).map(read) {
            let whole = read(get_accepted(&current, 2, None, &Rules::default()));
            prop_assert!(agrees(&delta["state"], &delta["metadata"], &whole["metadata"]["desired"]));
            prop_assert_eq!(&delta["version"], &read(change.accepted(&Rules::default()))["version"]);
            prop_assert_eq!(&delta["version"], &read(change.documents(&Rules::default()))["current"]["version"]);
        }
    }

    /// What an update echoes is what was sent, stamped with one time in the same shape.
    #[test]
    fn accepted_is_the_request(patch in patch()) {
        let request = request(&patch);
        let current = Document::apply(None, &request, 7, &Rules::default()).unwrap();
        let change = Change { request: &request, previous: None, current: &current, at_s: 7 };
        let accepted = read(change.accepted(&Rules::default()));
        prop_assert_eq!(&accepted["state"], &patch);
        let stamps = reference::leaves(&patch).into_keys().map(|pointer| (pointer, 7)).collect();
        prop_assert_eq!(&accepted["metadata"], &reference::metadata(&patch, &stamps));
        prop_assert_eq!(read(change.documents(&Rules::default()))["previous"].clone(), Value::Null);
    }

    /// A stored document reads back; nothing in it is `null`.
    #[test]
    fn stored_form_reads_back(first in patch(), second in patch()) {
        let document = apply(Some(&apply(None, &first, 1)), &second, 2);
        prop_assert_eq!(&Document::from_stored(&document.to_stored()).unwrap(), &document);
        prop_assert!(!reference::leaves(&state_of(&document)).values().any(Value::is_null));
    }

    /// Versions rise over deletions, and nothing of the old state is left.
    #[test]
    fn version_never_falls(steps in prop::collection::vec(prop::option::of(patch()), 1..12)) {
        let mut stored: Option<Document> = None;
        let mut highest = 0;
        for step in steps {
            let next = match (&step, &stored) {
                (Some(patch), _) => apply(stored.as_ref(), patch, 1),
                (None, Some(document)) => document.delete(&Rules::default()),
                (None, None) => continue,
            };
            let recreated = stored.as_ref().is_some_and(Document::is_deleted) && step.is_some();
            if recreated {
                let fresh = apply(None, &step.clone().unwrap(), 1);
                prop_assert_eq!(state_of(&next), state_of(&fresh));
            }
            let repeated = stored.as_ref().is_some_and(Document::is_deleted) && step.is_none();
            prop_assert_eq!(next.version(), highest + u64::from(!repeated));
            highest = next.version();
            stored = Some(next);
        }
    }

    /// No payload breaks the parser, and whatever it takes can be applied and answered.
    #[test]
    fn any_payload_is_answered(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = UpdateRequest::parse(&payload, &Rules::default());
    }

    /// A damaged stored form is refused or mended, never a panic.
    #[test]
    fn damaged_stamps_do_not_panic(state in object(stored()), stamps in object(stored()), patch in patch()) {
        let stored = json!({"version": 1, "desired": {"state": state, "stamps": stamps}});
        if let Ok(document) = Document::from_stored(&stored.to_string()) {
            let current = apply(Some(&document), &patch, 2);
            let request = request(&Value::Object(Map::new()));
            let change = Change { request: &request, previous: Some(&document), current: &current, at_s: 2 };
            let _ = (change.delta(&Rules::default()), change.documents(&Rules::default()), get_accepted(&current, 2, None, &Rules::default()));
        }
    }
}
