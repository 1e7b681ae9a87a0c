//! Metadata: when each value of a section was last named in an update.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The stamps of an object's members.
pub(crate) type StampMap = BTreeMap<String, Stamps>;

/// A tree of the same shape as a value, kept apart from it: a state key may
/// itself be called `timestamp`.
///
/// Stored with a bare number for each scalar; [`Metadata`] is the form clients see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stamps {
    /// A scalar, named at this time, in s since 1970.
    Scalar(i64),
    /// An array, element by element.
    Array(Vec<Stamps>),
    /// An object, member by member.
    Object(StampMap),
}

impl Stamps {
    /// Everything in `value` stamped with one time. `null` members, which are
    /// not stored, get no stamp.
    pub(crate) fn of(value: &Value, at_s: i64) -> Stamps {
        match value {
            Value::Array(array) => {
                Stamps::Array(array.iter().map(|value| Stamps::of(value, at_s)).collect())
            }
            Value::Object(object) => Stamps::Object(Stamps::of_members(object, at_s)),
            _ => Stamps::Scalar(at_s),
        }
    }

    /// The stamp of the part that was named longest ago; `None` of what has no parts.
    pub(crate) fn oldest(&self) -> Option<i64> {
        match self {
            Stamps::Scalar(at_s) => Some(*at_s),
            Stamps::Array(array) => array.iter().filter_map(Stamps::oldest).min(),
            Stamps::Object(members) => members.values().filter_map(Stamps::oldest).min(),
        }
    }

    fn of_members(object: &Map<String, Value>, at_s: i64) -> StampMap {
        object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), Stamps::of(value, at_s)))
            .collect()
    }
}

/// Stamps in the form clients see: `{"timestamp":S}` for each scalar.
pub(crate) struct Metadata<'a>(pub(crate) &'a Stamps);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Stamps::Scalar(at_s) => Stamp { timestamp: *at_s }.serialize(serializer),
            Stamps::Array(array) => serializer.collect_seq(array.iter().map(Metadata)),
            Stamps::Object(members) => MemberMetadata(members).serialize(serializer),
        }
    }
}

/// [`Metadata`] of an object's members.
pub(crate) struct MemberMetadata<'a>(pub(crate) &'a StampMap);

impl Serialize for MemberMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, stamps)| (key, Metadata(stamps))))
    }
}

/// What one stamp looks like to a client.
#[derive(Serialize)]
pub(crate) struct Stamp {
    /// In s since 1970.
    pub(crate) timestamp: i64,
}

/// Metadata of a patch as it was sent: every scalar stamped with one time, and `null` too if
/// what is removed has a stamp.
pub(crate) struct PatchMetadata<'a> {
    pub(crate) patch: &'a Value,
    pub(crate) at_s: i64,
    pub(crate) with_removed: bool,
}

impl Serialize for PatchMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PatchMetadata { at_s, with_removed, .. } = *self;
        match self.patch {
            Value::Array(array) => {
                let of_each = |patch| PatchMetadata { patch, at_s, with_removed };
                serializer.collect_seq(array.iter().map(of_each))
            }
            Value::Object(patch) => {
                PatchMemberMetadata { patch, at_s, with_removed }.serialize(serializer)
            }
            _ => Stamp { timestamp: at_s }.serialize(serializer),
        }
    }
}

/// [`PatchMetadata`] of an object's members.
pub(crate) struct PatchMemberMetadata<'a> {
    pub(crate) patch: &'a Map<String, Value>,
    pub(crate) at_s: i64,
    pub(crate) with_removed: bool,
}

impl Serialize for PatchMemberMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PatchMemberMetadata { at_s, with_removed, .. } = *self;
        let stamped = self.patch.iter().filter(|(_, patch)| with_removed || !patch.is_null());
        serializer.collect_map(
            stamped.map(|(key, patch)| (key, PatchMetadata { patch, at_s, with_removed })),
        )
    }
}

impl Serialize for Stamps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Stamps::Scalar(at_s) => serializer.serialize_i64(*at_s),
            Stamps::Array(array) => array.serialize(serializer),
            Stamps::Object(members) => members.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Stamps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Stamps, D::Error> {
        deserializer.deserialize_any(StampsVisitor)
    }
}

struct StampsVisitor;

impl<'de> Visitor<'de> for StampsVisitor {
    type Value = Stamps;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds, or an array or object of them")
    }

    fn visit_i64<E: Error>(self, at_s: i64) -> Result<Stamps, E> {
        Ok(Stamps::Scalar(at_s))
    }

    fn visit_u64<E: Error>(self, at_s: u64) -> Result<Stamps, E> {
        i64::try_from(at_s).map(Stamps::Scalar).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Stamps, A::Error> {
        let mut array = Vec::new();
        while let Some(stamps) = seq.next_element()? {
            array.push(stamps);
        }
        Ok(Stamps::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stamps, A::Error> {
        let mut members = StampMap::new();
        while let Some((key, stamps)) = map.next_entry()? {
            members.insert(key, stamps);
        }
        Ok(Stamps::Object(members))
    }
}
