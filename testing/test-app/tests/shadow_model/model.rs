//! What a shadow is, in a few lines that share nothing with the code they judge.

use serde_json::{Map, Value, json};

/// One shadow.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    /// `desired` and `reported`, each only if it is not empty; none before the first update and
    /// after a deletion.
    pub(crate) state: Option<Value>,
    pub(crate) version: u64,
}

impl Model {
    /// Applies the `state` of an update.
    pub(crate) fn update(&mut self, patch: &Value, guard: Option<u64>) -> Result<(), u64> {
        if guard.is_some_and(|guard| guard != self.version) {
            return Err(409);
        }
        let state = self.state.get_or_insert_with(|| json!({}));
        for section in ["desired", "reported"] {
            match if patch.is_null() { Some(patch) } else { patch.get(section) } {
                Some(Value::Null) => state[section] = json!({}),
                Some(patch) => merge(&mut state[section], patch),
                None => {}
            }
            state
                .as_object_mut()
                .expect("an object")
                .retain(|_, section| *section != json!({}) && !section.is_null());
        }
        self.version += 1;
        Ok(())
    }

    /// Gives the version that was deleted.
    pub(crate) fn delete(&mut self) -> Result<u64, u64> {
        self.state.take().ok_or(404_u64)?;
        self.version += 1;
        Ok(self.version - 1)
    }

    pub(crate) fn delta(&self) -> Option<Value> {
        let state = self.state.as_ref()?;
        delta(state.get("desired")?, state.get("reported"))
    }
}

/// Puts a patch into a value.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else { return *target = patch.clone() };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().expect("just made");
    for (key, value) in patch {
        match value {
            Value::Null => _ = target.remove(key),
            value => merge(target.entry(key.clone()).or_insert(Value::Null), value),
        }
    }
}

/// What is desired and not so.
pub(crate) fn delta(desired: &Value, reported: Option<&Value>) -> Option<Value> {
    if let (Value::Object(desired), Some(Value::Object(reported))) = (desired, reported) {
        let open = desired
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), delta(value, reported.get(key))?)));
        let open: Map<String, Value> = open.collect();
        return (!open.is_empty()).then_some(Value::Object(open));
    }
    (Some(desired) != reported).then(|| desired.clone())
}
