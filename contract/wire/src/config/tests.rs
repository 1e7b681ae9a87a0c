use alloc::string::ToString;

use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::*;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn version(version: &str) -> DeviceConfig {
    DeviceConfig { firmware_version: Some(version.to_string()), phrase_type: None }
}

#[test]
fn patch_keeps_members_it_does_not_know() {
    let mut desired = map(json!({
        "config": {"firmware_version": "1.0.4", "phrase_type": "poetic", "brightness": 7},
        "update": {"id": "u1"},
    }));
    PublishShadowDesired { config: Some(version("1.0.5")) }.merge_into(&mut desired);
    assert_eq!(
        Value::Object(desired),
        json!({
            "config": {"firmware_version": "1.0.5", "phrase_type": "poetic", "brightness": 7},
            "update": {"id": "u1"},
        })
    );
}

#[test]
fn empty_patch_changes_nothing() {
    let before = map(json!({"config": 3}));
    let mut after = before.clone();
    PublishShadowDesired { config: None }.merge_into(&mut after);
    assert_eq!(before, after);
    PublishShadowUpdate { state: None }.merge_into(&mut after);
    assert_eq!(before, after);
}

#[test]
fn wish_is_an_update_request() {
    let mut request = map(json!({"clientToken": "app-7", "state": null}));
    PublishShadowUpdate::desire(version("1.0.5")).merge_into(&mut request);
    assert_eq!(
        Value::Object(request),
        json!({"clientToken": "app-7", "state": {"desired": {"config": {"firmware_version": "1.0.5"}}}})
    );
}

#[test]
fn known_members_are_read_and_others_ignored() {
    let desired =
        map(json!({"config": {"firmware_version": "1.0.5", "phrase_type": null, "x": []}}));
    let read = PublishShadowDesired::from_map(&desired).unwrap();
    assert_eq!(read.config, Some(version("1.0.5")));
    assert_eq!(PublishShadowDesired::from_map(&Map::new()).unwrap().config, None);
}

#[test]
fn setting_of_the_wrong_type_is_refused() {
    let error = DeviceConfig::from_map(&map(json!({"firmware_version": 1.0}))).unwrap_err();
    assert_eq!(error.to_string(), "firmware_version must be a string, found a number");
    let error = PublishShadowDesired::from_map(&map(json!({"config": []}))).unwrap_err();
    assert_eq!(error.to_string(), "config must be an object, found an array");
}

fn config() -> impl Strategy<Value = DeviceConfig> {
    (prop::option::of(".{0,8}"), prop::option::of(".{0,8}"))
        .prop_map(|(firmware_version, phrase_type)| DeviceConfig { firmware_version, phrase_type })
}

proptest! {
    #[test]
    fn both_forms_read_back(config in config()) {
        let mut json = Map::new();
        config.merge_into(&mut json);
        prop_assert_eq!(DeviceConfig::from_map(&json).unwrap(), config.clone());

        let update = PublishShadowUpdate::desire(config);
        let bytes = update.encode_to_vec();
        prop_assert_eq!(PublishShadowUpdate::decode(bytes.as_slice()).unwrap(), update);
    }
}
