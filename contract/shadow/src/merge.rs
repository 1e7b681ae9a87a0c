//! One section of a document, and how a patch changes it.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::request::SectionPatch;
use crate::stamps::{StampMap, Stamps};

/// `desired` or `reported`: values, and a stamp for each. An empty section does not exist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) state: Map<String, Value>,
    pub(crate) stamps: StampMap,
}

impl Section {
    pub(crate) fn is_empty(&self) -> bool {
        self.state.is_empty()
    }

    /// The section after a patch; a removed one is not even copied.
    pub(crate) fn patched(&self, patch: &SectionPatch, at_s: i64) -> Section {
        match patch {
            SectionPatch::Remove => Section::default(),
            SectionPatch::Absent => self.clone(),
            SectionPatch::Merge(patch) => {
                let mut section = self.clone();
                merge(&mut section.state, &mut section.stamps, patch, at_s);
                section
            }
        }
    }
}

/// Merges object into object: `null` removes, objects recurse, all else replaces.
fn merge(
    state: &mut Map<String, Value>,
    stamps: &mut StampMap,
    patch: &Map<String, Value>,
    at_s: i64,
) {
    for (key, change) in patch {
        match (change, state.get_mut(key)) {
            (Value::Null, _) => {
                state.remove(key);
                stamps.remove(key);
            }
            (Value::Object(patch), Some(Value::Object(inner))) => {
                merge(inner, inner_stamps(stamps, key), patch, at_s);
            }
            (change, Some(value)) => {
                *value = without_nulls(change);
                stamps.insert(key.clone(), Stamps::of(change, at_s));
            }
            (change, None) => {
                state.insert(key.clone(), without_nulls(change));
                stamps.insert(key.clone(), Stamps::of(change, at_s));
            }
        }
    }
}

/// The stamps of the object at `key`. Stored trees have the state's shape;
/// damaged ones are mended rather than trusted.
fn inner_stamps<'a>(stamps: &'a mut StampMap, key: &str) -> &'a mut StampMap {
    let entry = stamps.entry(String::from(key)).or_insert_with(|| Stamps::Object(StampMap::new()));
    if !matches!(entry, Stamps::Object(_)) {
        *entry = Stamps::Object(StampMap::new());
    }
    match entry {
        Stamps::Object(inner) => inner,
        Stamps::Scalar(_) | Stamps::Array(_) => unreachable!("made an object just above"),
    }
}

/// A copy without the members that are `null`; an object emptied that way stays.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        // A request with a null below an array was refused before it came here.
        other => other.clone(),
    }
}
