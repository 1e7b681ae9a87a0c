//! A second, slow telling of the rules over plain JSON, which shares no code with the first.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// RFC 7396, which AWS's merge is but for sections that vanish when empty.
pub(crate) fn merge_patch(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut merged = target.as_object().cloned().unwrap_or_default();
    for (key, change) in patch {
        let old = merged.remove(key).unwrap_or(Value::Null);
        if !change.is_null() {
            merged.insert(key.clone(), merge_patch(&old, change));
        }
    }
    Value::Object(merged)
}

/// The state after a patch of the form `{"desired":…,"reported":…}`.
pub(crate) fn state_after(state: &Value, patch: &Value) -> Value {
    let patch = if patch.is_null() {
        serde_json::json!({"desired": null, "reported": null})
    } else {
        patch.clone()
    };
    let merged = merge_patch(state, &patch);
    let sections = merged.as_object().unwrap().clone().into_iter();
    Value::Object(sections.filter(|(_, section)| section != &Value::Object(Map::new())).collect())
}

/// Every scalar by its JSON pointer.
pub(crate) fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, pointer: String, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    walk(value, format!("{pointer}/{key}"), found);
                }
            }
            Value::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    walk(value, format!("{pointer}/{index}"), found);
                }
            }
            scalar => {
                found.insert(pointer, scalar.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(value, String::new(), &mut found);
    found
}

/// The state with each scalar replaced by `stamp` of its pointer: metadata as clients see it.
pub(crate) fn metadata(state: &Value, stamps: &BTreeMap<String, i64>) -> Value {
    fn walk(value: &Value, pointer: String, stamps: &BTreeMap<String, i64>) -> Value {
        match value {
            Value::Object(object) => {
                let member = |(key, value): (&String, &Value)| {
                    let escaped = key.replace('~', "~0").replace('/', "~1");
                    (key.clone(), walk(value, format!("{pointer}/{escaped}"), stamps))
                };
                Value::Object(object.iter().map(member).collect())
            }
            Value::Array(array) => {
                let element = |(index, value): (usize, &Value)| {
                    walk(value, format!("{pointer}/{index}"), stamps)
                };
                Value::Array(array.iter().enumerate().map(element).collect())
            }
            _ => serde_json::json!({ "timestamp": stamps[&pointer] }),
        }
    }
    walk(state, String::new(), stamps)
}

/// The stamps after a patch: every scalar it names gets the new time. An array is named whole.
pub(crate) fn stamps_after(
    stamps: &BTreeMap<String, i64>,
    state: &Value,
    patch: &Value,
    now_s: i64,
) -> BTreeMap<String, i64> {
    let named = leaves(patch);
    let stamp = |(pointer, _): (String, Value)| {
        let at_s = if named.contains_key(&pointer) { now_s } else { stamps[&pointer] };
        (pointer, at_s)
    };
    leaves(state).into_iter().map(stamp).collect()
}

/// `desired` without what `reported` has, numbers by value.
pub(crate) fn delta(desired: &Value, reported: &Value) -> Option<Value> {
    let (Value::Object(wished), Value::Object(said)) = (desired, reported) else {
        return (normal(desired) != normal(reported)).then(|| desired.clone());
    };
    let mut found = Map::new();
    for (key, wished) in wished {
        let difference = match said.get(key) {
            None => Some(wished.clone()),
            Some(said) => delta(wished, said),
        };
        found.extend(difference.map(|difference| (key.clone(), difference)));
    }
    (!found.is_empty()).then_some(Value::Object(found))
}

/// The value with every number as `f64`; good for the small numbers of the tests.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap() + 0.0),
        Value::Array(array) => array.iter().map(normal).collect(),
        Value::Object(object) => {
            Value::Object(object.iter().map(|(key, value)| (key.clone(), normal(value))).collect())
        }
        other => other.clone(),
    }
}
