//! Where `desired` and `reported` differ.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::merge::Section;
use crate::stamps::{MemberMetadata, Metadata, StampMap, Stamps};

/// The differing part of `desired`, borrowed from it. Never empty.
pub(crate) struct Delta<'a>(Vec<Difference<'a>>);

struct Difference<'a> {
    key: &'a str,
    wished: Wished<'a>,
}

enum Wished<'a> {
    /// The whole value, with its stamps.
    Whole(&'a Value, Option<&'a Stamps>),
    /// Only what differs inside an object.
    Part(Delta<'a>),
}

impl<'a> Delta<'a> {
    /// What `desired` holds and `reported` does not; `None` if nothing.
    pub(crate) fn between(
        desired: &'a Section,
        reported: &Section,
        equal: Equality,
    ) -> Option<Delta<'a>> {
        differences(&desired.state, Some(&desired.stamps), &reported.state, equal)
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        let member = |difference: &Difference<'_>| {
            let value = match &difference.wished {
                Wished::Whole(value, _) => (*value).clone(),
                Wished::Part(part) => Value::Object(part.to_map()),
            };
            (String::from(difference.key), value)
        };
        self.0.iter().map(member).collect()
    }

    /// The stamps of the same paths on the desired side.
    pub(crate) fn metadata(&self) -> DeltaMetadata<'_> {
        DeltaMetadata(self)
    }
}

/// Whether the two sections differ, without collecting where.
pub(crate) fn differ(
    desired: &Map<String, Value>,
    reported: &Map<String, Value>,
    equal: Equality,
) -> bool {
    desired.iter().any(|(key, wished)| match (wished, reported.get(key)) {
        (_, None) => true,
        (Value::Object(wished), Some(Value::Object(said))) => differ(wished, said, equal),
        (wished, Some(said)) => !equal(wished, said),
    })
}

fn differences<'a>(
    desired: &'a Map<String, Value>,
    stamps: Option<&'a StampMap>,
    reported: &Map<String, Value>,
    equal: Equality,
) -> Option<Delta<'a>> {
    let mut found = Vec::new();
    for (key, wished) in desired {
        let stamps = stamps.and_then(|stamps| stamps.get(key));
        let wished = match (wished, reported.get(key)) {
            (Value::Object(wished), Some(Value::Object(said))) => {
                let stamps = match stamps {
                    Some(Stamps::Object(stamps)) => Some(stamps),
                    _ => None,
                };
                differences(wished, stamps, said, equal).map(Wished::Part)
            }
            (wished, Some(said)) if equal(wished, said) => None,
            (wished, _) => Some(Wished::Whole(wished, stamps)),
        };
        found.extend(wished.map(|wished| Difference { key, wished }));
    }
    (!found.is_empty()).then_some(Delta(found))
}

/// Whether a reported value is the wished one.
pub(crate) type Equality = fn(&Value, &Value) -> bool;

/// Equality by value: as JSON has it, but 1 equals 1.0.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => equal_numbers(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| equal(l, r)))
        }
        (left, right) => left == right,
    }
}

fn equal_numbers(left: &Number, right: &Number) -> bool {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left == right,
        (None, None) => left.as_f64() == right.as_f64(),
        _ => false,
    }
}

/// The number as an integer, if it is one. Integers above 2^53 must not go through `f64`.
fn whole(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_i128() {
        return Some(integer);
    }
    let float = number.as_f64()?;
    let integer = float as i128;
    (integer as f64 == float && integer < i128::MAX).then_some(integer)
}

impl Serialize for Delta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|difference| (difference.key, &difference.wished)))
    }
}

impl Serialize for Wished<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Wished::Whole(value, _) => value.serialize(serializer),
            Wished::Part(part) => part.serialize(serializer),
        }
    }
}

pub(crate) struct DeltaMetadata<'a>(&'a Delta<'a>);

impl Serialize for DeltaMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.0.0.iter();
        serializer.collect_map(members.map(|member| (member.key, WishedMetadata(&member.wished))))
    }
}

struct WishedMetadata<'a>(&'a Wished<'a>);

impl Serialize for WishedMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Wished::Whole(_, Some(stamps)) => Metadata(stamps).serialize(serializer),
            Wished::Whole(_, None) => MemberMetadata(&StampMap::new()).serialize(serializer),
            Wished::Part(part) => part.metadata().serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_equal_by_value() {
        for (left, right) in [
            (json!(1), json!(1.0)),
            (json!(0.0), json!(-0.0)),
            (json!(0), json!(-0.0)),
            (json!([1, {"a": 2.0}]), json!([1.0, {"a": 2}])),
            (json!(u64::MAX), json!(u64::MAX)),
            (json!(1e300), json!(1e300)),
        ] {
            assert!(equal(&left, &right), "{left} {right}");
        }
    }

    #[test]
    fn different_types_and_near_numbers_differ() {
        for (left, right) in [
            (json!(1), json!("1")),
            (json!(0), json!(false)),
            (json!([]), json!({})),
            (json!([1, 2]), json!([2, 1])),
            (json!([1]), json!([1, 1])),
            (json!({"a": 1}), json!({"b": 1})),
            (json!(9007199254740993u64), json!(9007199254740992.0)),
            (json!(u64::MAX), json!(18446744073709551616.0)),
            (json!(1.5), json!(1)),
        ] {
            assert!(!equal(&left, &right), "{left} {right}");
        }
    }
}
