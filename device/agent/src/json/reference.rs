//! What the code beside it does to text, on trees of values.

use serde_json::{Map, Value};

/// Whether two values are the same setting. Numbers compare by value: 1 is 1.0.
pub(crate) fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_value(a, b)))
        }
        _ => a == b,
    }
}

/// Merges `patch` into `target` as the shadow service does: `null` removes, objects recurse.
pub(crate) fn merge(
    target: &mut Map<alloc::string::String, Value>,
    patch: &Map<alloc::string::String, Value>,
) {
    for (key, value) in patch {
        match (value, target.get_mut(key)) {
            (Value::Null, _) => {
                target.remove(key);
            }
            (Value::Object(patch), Some(Value::Object(inner))) => merge(inner, patch),
            _ => {
                target.insert(key.clone(), without_nulls(value));
            }
        }
    }
}

/// The patch that turns `known` into `truth`; `None` when they are the same.
/// A member of `known` that `truth` lacks, or holds as `null`, is removed.
pub(crate) fn difference(known: Option<&Value>, truth: &Value) -> Option<Value> {
    let (Some(Value::Object(known)), Value::Object(truth)) = (known, truth) else {
        let truth = without_nulls(truth);
        return (!known.is_some_and(|known| same_value(known, &truth))).then_some(truth);
    };
    let mut patch = Map::new();
    for (key, value) in truth.iter().filter(|(_, value)| !value.is_null()) {
        if let Some(changed) = difference(known.get(key), value) {
            patch.insert(key.clone(), changed);
        }
    }
    for key in known.keys().filter(|key| truth.get(*key).is_none_or(Value::is_null)) {
        patch.insert(key.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn without_nulls(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let kept = members.iter().filter(|(_, value)| !value.is_null());
    Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-3..3i64).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn merging_the_difference_gives_the_truth(known in value(), truth in value()) {
            let mut shadow = Map::from_iter([("x".into(), known.clone())]);
            if let Some(patch) = difference(Some(&known), &truth) {
                merge(&mut shadow, &Map::from_iter([("x".into(), patch)]));
            }
            prop_assert!(same_value(&shadow["x"], &truth), "{} is not {truth}", shadow["x"]);
        }

        #[test]
        fn equal_values_have_no_difference(value in value()) {
            prop_assert_eq!(difference(Some(&value), &value), None);
        }
    }

    #[test]
    fn numbers_compare_by_value() {
        assert!(same_value(&json!({"a": [1]}), &json!({"a": [1.0]})));
        assert!(!same_value(&json!([1, 2]), &json!([1])));
    }

    #[test]
    fn a_null_in_the_truth_removes_what_is_known() {
        let known = json!({"outcome": "failed", "reason": 26});
        let truth = json!({"outcome": "confirmed", "reason": null});
        let patch = difference(Some(&known), &truth);
        assert_eq!(patch, Some(json!({"outcome": "confirmed", "reason": null})));
        assert_eq!(difference(None, &truth), Some(json!({"outcome": "confirmed"})));
    }
}
