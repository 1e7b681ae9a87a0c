use otaru_store::UserRow;
use otaru_wire::{ProductName, ReleaseVersion, ShadowId, ThingName};
use serde::Serialize;
use serde_json::{Map, Value};

use super::who::Who;

/// What somebody did, to be noted with its change.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(super) who: Who,
    pub(super) action: &'static str,
    pub(super) object: Object,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

impl Entry {
    /// It made this.
    pub(crate) fn made(self, object: &impl Serialize) -> Entry {
        Entry { after: Some(json(object)), ..self }
    }

    /// It ended this.
    pub(crate) fn ended(self, object: &impl Serialize) -> Entry {
        Entry { before: Some(json(object)), ..self }
    }

    /// It wrote this, and there was that before.
    pub(crate) fn wrote(self, before: Option<Value>, after: Value) -> Entry {
        Entry { before, after: Some(after), ..self }
    }

    /// Whether it says that this was done.
    pub(crate) fn is(&self, action: &str) -> bool {
        self.action == action
    }

    /// It changed this: what of it differs is kept. `None` when nothing does.
    pub(crate) fn changed<T: Serialize>(self, before: &T, after: &T) -> Option<Entry> {
        let (before, after) = differences(json(before), json(after));
        (before != after).then_some(Entry { before: Some(before), after: Some(after), ..self })
    }
}

fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("objects of the API are JSON")
}

/// Of `all` the members that `patch` names, however deep: what was there before it is applied. Null
/// is what was not there.
pub(crate) fn named_in(patch: &Value, all: &Value) -> Value {
    let (Value::Object(patch), Value::Object(members)) = (patch, all) else { return all.clone() };
    let nothing = Value::Null;
    let named = patch
        .iter()
        .map(|(name, part)| (name.clone(), named_in(part, members.get(name).unwrap_or(&nothing))));
    Value::Object(named.collect())
}

/// Of two objects the members that are not the same in both.
fn differences(before: Value, after: Value) -> (Value, Value) {
    let (Value::Object(before), Value::Object(after)) = (&before, &after) else {
        return (before, after);
    };
    let of = |one: &Map<String, Value>, other: &Map<String, Value>| {
        let differs = |(name, value): &(&String, &Value)| other.get(*name) != Some(*value);
        let kept = one.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone()));
        Value::Object(kept.collect())
    };
    (of(before, after), of(after, before))
}

/// What something was done to.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) name: Option<String>,
}

impl Object {
    pub(crate) fn new(kind: &'static str, id: impl ToString) -> Object {
        Object { kind, id: id.to_string(), name: None }
    }

    pub(crate) fn called(self, name: Option<&str>) -> Object {
        Object { name: name.map(str::to_owned), ..self }
    }

    pub(crate) fn user(user: &UserRow) -> Object {
        Object::new("user", &user.id).called(Some(&user.email))
    }

    pub(crate) fn device(thing: &ThingName) -> Object {
        Object::new("device", thing)
    }

    pub(crate) fn product(name: &ProductName) -> Object {
        Object::new("product", name)
    }

    pub(crate) fn release(product: &ProductName, version: &ReleaseVersion) -> Object {
        Object::new("release", format!("{product}/{version}"))
    }

    /// `clock-01`, or `clock-01/name`.
    pub(crate) fn shadow(shadow: &ShadowId) -> Object {
        let name = shadow.name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        Object::new("shadow", format!("{}{name}", shadow.thing))
    }
}

/// What one transaction has to say: usually one entry, or none when it found nothing to change.
#[derive(Debug, Default)]
pub(crate) struct Entries(Vec<Entry>);

impl From<Entry> for Entries {
    fn from(entry: Entry) -> Entries {
        Entries(vec![entry])
    }
}

impl From<Option<Entry>> for Entries {
    fn from(entry: Option<Entry>) -> Entries {
        Entries(entry.into_iter().collect())
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Entries {
        Entries(entries)
    }
}

impl IntoIterator for Entries {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_what_was_there_a_patch_names_its_part() {
        let all = json!({ "a": { "b": 1, "c": 2 }, "d": [3], "e": 4, "f": 5 });
        let patch = json!({ "a": { "b": 7 }, "d": null, "e": { "g": 1 }, "h": { "i": 1 } });
        let expected = json!({ "a": { "b": 1 }, "d": [3], "e": 4, "h": null });
        assert_eq!(named_in(&patch, &all), expected);
    }

    #[test]
    fn what_stayed_is_not_kept() {
        let before = json!({ "role": "viewer", "email": "ada@x.org", "language": null });
        let after = json!({ "role": "admin", "email": "ada@x.org", "language": null, "new": 1 });
        let (before, after) = differences(before, after);
        assert_eq!(before, json!({ "role": "viewer" }));
        assert_eq!(after, json!({ "role": "admin", "new": 1 }));
    }
}
