//! Decoders of `server/fleet`.

use otaru_fleet::{Setting, settings_fault};
use serde_json::Value;

/// The description of a product's settings and a value for each, by lines.
pub(crate) fn product_settings(bytes: &[u8]) -> bool {
    let mut lines = bytes.splitn(2, |&byte| byte == b'\n');
    let described = lines.next().and_then(|line| serde_json::from_slice(line).ok());
    let Some(settings) = described else { return false };
    let settings: Vec<Setting> = settings;
    let value = lines.next().and_then(|line| serde_json::from_slice::<Value>(line).ok());
    for (setting, value) in settings.iter().filter_map(|setting| Some((setting, value.as_ref()?))) {
        let checked = setting.check(value);
        assert_eq!(setting.check(value), checked, "it says the same again");
    }
    if settings_fault(&settings).is_some() {
        return false;
    }
    for setting in &settings {
        let is_right = setting.default.as_ref().is_none_or(|value| setting.check(value).is_ok());
        assert!(is_right, "{} may begin as it may not be", setting.name);
        let again = serde_json::to_value(setting).and_then(serde_json::from_value::<Setting>);
        assert_eq!(again.ok().as_ref(), Some(setting));
    }
    true
}
