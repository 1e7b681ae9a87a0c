//! A product's settings: what each is called, what it may be, and who may change it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Texts;

/// Most settings of a product.
const SETTINGS_MAX: usize = 50;

/// Longest label or help text, in bytes.
const TEXT_BYTES: usize = 500;

/// Longest text a setting can hold, in characters: all settings share the device's shadow.
const LENGTH_MAX: u32 = 1_000;

/// One setting of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Member of `config` in the shadow: 1 to 64 of `[a-z0-9_]`.
    pub name: String,
    /// What kind of value it has.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// What people call it.
    pub label: Texts,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Texts>,
    /// What the device does as long as nobody chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What a choice can be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<SettingChoice>,
    /// Least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Longest text, in characters; 1000 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Who may change it.
    #[serde(default)]
    pub edit: SettingEditor,
}

/// What kind of value a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// One of its choices.
    Choice,
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// On or off.
    Boolean,
}

/// One thing a choice can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingChoice {
    /// As the device reads it.
    pub value: String,
    /// What people call it.
    pub label: Texts,
}

/// Who may change a setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingEditor {
    /// The owner, and who runs the fleet.
    #[default]
    Owner,
    /// Only who runs the fleet.
    Operator,
}

impl Setting {
    /// What is wrong with the description, if anything.
    pub fn fault(&self) -> Option<String> {
        let is_name = (1..=64).contains(&self.name.len())
            && self.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_name || self.name == "firmware_version" {
            return Some(format!(
                "`{}` is no name: 1 to 64 of [a-z0-9_]",
                self.name.escape_debug()
            ));
        }
        let texts = self.choices.iter().map(|choice| &choice.label);
        let mut texts = texts.chain([&self.label]).chain(&self.help);
        if let Some(fault) = texts.find_map(|texts| texts.fault(TEXT_BYTES)) {
            return Some(format!("{}: {fault}", self.name));
        }
        if (self.kind == SettingKind::Choice) == self.choices.is_empty() {
            return Some(format!("{}: choices go with type choice", self.name));
        }
        if self.max_length.is_some_and(|length| !(1..=LENGTH_MAX).contains(&length)) {
            return Some(format!("{}: max_length is 1 to {LENGTH_MAX}", self.name));
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Some(format!("{}: min {min} is above max {max}", self.name));
        }
        let default = self.default.as_ref()?;
        self.check(default).err().map(|fault| format!("{}: default {fault}", self.name))
    }

    /// Says what a value would have to be, when it is not.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match self.kind {
            SettingKind::Choice => {
                value.as_str().is_some_and(|text| self.choices.iter().any(|c| c.value == text))
            }
            SettingKind::Text => value.as_str().is_some_and(|text| self.holds(text)),
            SettingKind::Integer => is_whole(value) && self.is_within(value),
            SettingKind::Number => self.is_within(value),
            SettingKind::Boolean => value.is_boolean(),
        };
        if fits { Ok(()) } else { Err(format!("is not {}", self.expected())) }
    }

    fn holds(&self, text: &str) -> bool {
        let length = self.max_length.unwrap_or(LENGTH_MAX) as usize;
        text.chars().count() <= length && !text.chars().any(|c| c.is_control() && c != '\n')
    }

    fn is_within(&self, value: &Value) -> bool {
        value.as_f64().is_some_and(|number| {
            self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
        })
    }

    fn expected(&self) -> String {
        match self.kind {
            SettingKind::Choice => {
                let values: Vec<&str> =
                    self.choices.iter().map(|choice| choice.value.as_str()).collect();
                format!("one of {}", values.join(", "))
            }
            SettingKind::Text => {
                format!("text of at most {} characters", self.max_length.unwrap_or(LENGTH_MAX))
            }
            SettingKind::Integer => format!("a whole number{}", self.range()),
            SettingKind::Number => format!("a number{}", self.range()),
            SettingKind::Boolean => "true or false".to_owned(),
        }
    }

    fn range(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        }
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

/// What is wrong with all settings of a product together, if anything.
pub fn settings_fault(settings: &[Setting]) -> Option<String> {
    if settings.len() > SETTINGS_MAX {
        return Some(format!("{} settings, at most {SETTINGS_MAX}", settings.len()));
    }
    let twice = settings
        .iter()
        .enumerate()
        .find(|(index, setting)| settings[..*index].iter().any(|other| other.name == setting.name));
    match twice {
        Some((_, setting)) => Some(format!("{}: named twice", setting.name)),
        None => settings.iter().find_map(Setting::fault),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn setting(json: Value) -> Setting {
        serde_json::from_value(json).unwrap()
    }

    fn phrases() -> Value {
        json!({
            "name": "phrase_type", "type": "choice", "label": { "en": "Phrases", "ja": "フレーズ" },
            "choices": [{ "value": "classic", "label": "Classic" }, { "value": "poetic", "label": "Poetic" }],
            "default": "classic",
        })
    }

    #[test]
    fn a_value_is_what_its_setting_says() {
        let dim = json!({ "name": "dim", "type": "integer", "label": "Dim", "min": 0, "max": 100 });
        let note = json!({ "name": "note", "type": "text", "label": "Note", "max_length": 3 });
        let night = json!({ "name": "night", "type": "boolean", "label": "Night" });
        let offset = json!({ "name": "offset", "type": "number", "label": "Offset", "min": -1.5 });
        for (schema, good, bad) in [
            (phrases(), json!("poetic"), json!("rude")),
            (dim.clone(), json!(100), json!(101)),
            (dim.clone(), json!(0), json!(1.5)),
            (dim, json!(7), json!("7")),
            (note.clone(), json!("äöü"), json!("äöüß")),
            (note, json!("a\n"), json!("\u{7}")),
            (night, json!(true), json!(1)),
            (offset, json!(-1.5), json!(-2)),
        ] {
            let setting = setting(schema);
            assert_eq!(setting.fault(), None);
            assert_eq!(setting.check(&good), Ok(()), "{good}");
            assert!(setting.check(&bad).unwrap_err().starts_with("is not "), "{bad}");
        }
    }

    #[test]
    fn a_description_that_makes_no_sense_is_refused() {
        let changed = |member: &str, value: Value| {
            let mut json = phrases();
            json[member] = value;
            setting(json).fault()
        };
        assert_eq!(changed("default", json!("poetic")), None);
        for (member, value) in [
            ("name", json!("firmware_version")),
            ("name", json!("Phrase Type")),
            ("choices", json!([])),
            ("type", json!("text")),
            ("default", json!("rude")),
            ("max_length", json!(0)),
            ("label", json!({ "English": "x" })),
        ] {
            assert!(changed(member, value.clone()).is_some(), "{member} {value}");
        }
        let both = [setting(phrases()), setting(phrases())];
        assert_eq!(settings_fault(&both).unwrap(), "phrase_type: named twice");
        assert!(serde_json::from_value::<Setting>(json!({ "name": "x" })).is_err());
    }
}
