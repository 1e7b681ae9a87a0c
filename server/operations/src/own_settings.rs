//! A product's settings as a person reads them: what was wished, and what the device does.

use otaru_fleet::{Language, Setting, SettingEditor};
use otaru_shadow::Document;
use serde_json::{Map, Value};

use crate::{OwnSettingChoice, OwnSettingObject};

/// Every setting with its state on one device. What it reported before `hidden_before` (ms) is
/// as if it never had, unless it is just what was wished since.
pub(crate) fn describe(
    settings: &[Setting],
    shadow: Option<&Document>,
    hidden_before: Option<i64>,
    language: Language,
) -> Vec<OwnSettingObject> {
    let config = |part: &Map<String, Value>, name: &str| part.get("config")?.get(name).cloned();
    let is_shown = |shadow: &Document, name: &str| {
        let reported_at = shadow.reported_at(&["config", name]).unwrap_or(i64::MIN);
        hidden_before.is_none_or(|before| reported_at.saturating_mul(1_000) >= before)
    };
    let one = |setting: &Setting| {
        let name = setting.name.as_str();
        let wished = shadow.and_then(|shadow| config(shadow.desired(), name));
        let value = shadow.and_then(|shadow| {
            let value = config(shadow.reported(), name);
            value.filter(|value| wished.as_ref() == Some(value) || is_shown(shadow, name))
        });
        let state = match (&wished, &value) {
            (Some(wished), value) if value.as_ref() != Some(wished) => "waiting",
            (_, Some(_)) => "applied",
            (_, None) => "unset",
        };
        object(setting, language, value, wished, state)
    };
    settings.iter().map(one).collect()
}

fn object(
    setting: &Setting,
    language: Language,
    value: Option<Value>,
    wished: Option<Value>,
    state: &'static str,
) -> OwnSettingObject {
    let read = |texts: &otaru_fleet::Texts| texts.read_in(language.as_str()).to_owned();
    let choices = setting
        .choices
        .iter()
        .map(|choice| OwnSettingChoice { value: choice.value.clone(), label: read(&choice.label) });
    OwnSettingObject {
        name: setting.name.clone(),
        kind: setting.kind,
        label: read(&setting.label),
        help: setting.help.as_ref().map(read),
        choices: choices.collect(),
        min: setting.min,
        max: setting.max,
        max_length: setting.max_length,
        default: setting.default.clone(),
        editable: setting.edit == SettingEditor::Owner,
        value,
        wished,
        state,
    }
}

#[cfg(test)]
mod tests {
    use otaru_shadow::{Rules, UpdateRequest};
    use serde_json::json;

    use super::*;

    fn settings() -> Vec<Setting> {
        let setting = json!([{ "name": "phrase_type", "type": "text", "label": { "en": "Phrases", "ja": "フレーズ" } }]);
        serde_json::from_value(setting).unwrap()
    }

    /// Of 7 s since 1970.
    fn shadow(wished: Option<&str>, value: Option<&str>) -> Document {
        let rules = Rules::default();
        let config =
            |value: Option<&str>| value.map(|value| json!({ "config": { "phrase_type": value } }));
        let state = json!({ "desired": config(wished), "reported": config(value) });
        let request = UpdateRequest::from_state(state, &rules).unwrap();
        Document::apply(None, &request, 7, &rules).unwrap()
    }

    #[test]
    fn a_setting_waits_until_the_device_says_it_has_it() {
        for (wished, value, expected) in [
            (None, None, "unset"),
            (Some("poetic"), None, "waiting"),
            (Some("poetic"), Some("classic"), "waiting"),
            (Some("poetic"), Some("poetic"), "applied"),
            (None, Some("classic"), "applied"),
        ] {
            let shadow = shadow(wished, value);
            let found = describe(&settings(), Some(&shadow), None, Language::Japanese);
            assert_eq!((found[0].state, found[0].label.as_str()), (expected, "フレーズ"));
        }
        assert_eq!(describe(&settings(), None, None, Language::German)[0].state, "unset");
    }

    #[test]
    fn what_was_reported_to_somebody_else_is_hidden() {
        for (wished, before, expected) in [
            (None, 7_000, ("applied", Some("classic"))),
            (None, 7_001, ("unset", None)),
            (Some("poetic"), 7_001, ("waiting", None)),
            // The device has it: it will report nothing new.
            (Some("classic"), 7_001, ("applied", Some("classic"))),
        ] {
            let shadow = shadow(wished, Some("classic"));
            let found = describe(&settings(), Some(&shadow), Some(before), Language::English);
            let value = found[0].value.as_ref().and_then(Value::as_str);
            assert_eq!((found[0].state, value), expected);
        }
    }
}
