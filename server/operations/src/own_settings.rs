//! A product's settings as a person reads them: what was wished, and what the device does.

use otaru_fleet::{Language, Setting, SettingEditor};
use serde_json::{Map, Value};

use crate::{OwnSettingChoice, OwnSettingObject};

/// What a shadow desires and reports.
pub(crate) type Parts<'a> = (&'a Map<String, Value>, &'a Map<String, Value>);

/// Every setting with its state on one device.
pub(crate) fn describe(
    settings: &[Setting],
    shadow: Option<Parts<'_>>,
    language: Language,
) -> Vec<OwnSettingObject> {
    let config = |part: Option<&Map<String, Value>>, name: &str| -> Option<Value> {
        part?.get("config")?.get(name).cloned()
    };
    let (desired, reported) = shadow.unzip();
    let one = |setting: &Setting| {
        let wished = config(desired, &setting.name);
        let value = config(reported, &setting.name);
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_waits_until_the_device_says_it_has_it() {
        let setting = json!([{ "name": "phrase_type", "type": "text", "label": { "en": "Phrases", "ja": "フレーズ" } }]);
        let settings: Vec<Setting> = serde_json::from_value(setting).unwrap();
        let config = |value: Option<&str>| {
            let config = value.map_or(json!({}), |value| json!({ "phrase_type": value }));
            json!({ "config": config }).as_object().cloned().unwrap()
        };
        for (wished, value, expected) in [
            (None, None, "unset"),
            (Some("poetic"), None, "waiting"),
            (Some("poetic"), Some("classic"), "waiting"),
            (Some("poetic"), Some("poetic"), "applied"),
            (None, Some("classic"), "applied"),
        ] {
            let (desired, reported) = (config(wished), config(value));
            let found = describe(&settings, Some((&desired, &reported)), Language::Japanese);
            assert_eq!((found[0].state, found[0].label.as_str()), (expected, "フレーズ"));
        }
        assert_eq!(describe(&settings, None, Language::German)[0].state, "unset");
    }
}
