//! How deep and how large JSON is.

use alloc::string::String;
use core::fmt::{self, Write};

use serde_json::{Map, Value};

/// Levels of keys: 1 for `{"a":1}`, 2 for `{"a":{"b":1}}` and for `{"a":[1]}`.
///
/// Where arrays are no levels, the last has one.
pub(crate) fn levels(object: &Map<String, Value>, arrays_are_levels: bool) -> usize {
    object.values().map(|value| 1 + levels_of(value, arrays_are_levels)).max().unwrap_or(0)
}

fn levels_of(value: &Value, arrays_are_levels: bool) -> usize {
    match value {
        Value::Object(object) => levels(object, arrays_are_levels),
        Value::Array(array) => {
            let own = usize::from(arrays_are_levels);
            let inner = array.iter().map(|value| own + levels_of(value, arrays_are_levels));
            inner.max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Whether there is a `null` inside an array, however deep.
pub(crate) fn null_below_array(object: &Map<String, Value>) -> bool {
    fn search(value: &Value, inside_array: bool) -> bool {
        match value {
            Value::Null => inside_array,
            Value::Object(object) => object.values().any(|value| search(value, inside_array)),
            Value::Array(array) => array.iter().any(|value| search(value, true)),
            _ => false,
        }
    }
    object.values().any(|value| search(value, false))
}

/// Bytes of the object as compact JSON, counted without writing it.
pub(crate) fn compact_bytes(object: &Map<String, Value>) -> usize {
    let members: usize =
        object.iter().map(|(key, value)| string_bytes(key) + 1 + value_bytes(value)).sum();
    2 + object.len().saturating_sub(1) + members
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => {
            let mut count = Count(0);
            write!(count, "{number}").expect("counting cannot fail");
            count.0
        }
        Value::String(text) => string_bytes(text),
        Value::Array(array) => {
            let elements: usize = array.iter().map(value_bytes).sum();
            2 + array.len().saturating_sub(1) + elements
        }
        Value::Object(object) => compact_bytes(object),
    }
}

/// Bytes of a JSON string with its quotes and the escapes serde_json writes.
fn string_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

struct Count(usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn levels_count_keys_and_arrays() {
        for (expected, without_arrays, value) in [
            (0, 0, json!({})),
            (1, 1, json!({"a": 1})),
            (1, 1, json!({"a": {}})),
            (2, 2, json!({"a": {"b": 1}, "c": 1})),
            (2, 1, json!({"a": [1]})),
            (3, 2, json!({"a": [{"b": 1}]})),
        ] {
            assert_eq!(levels(&object(value.clone()), true), expected, "{value}");
            assert_eq!(levels(&object(value.clone()), false), without_arrays, "{value}");
        }
    }

    #[test]
    fn null_is_found_below_arrays_only() {
        for (expected, value) in [
            (false, json!({"a": null, "b": {"c": null}, "d": [1, {"e": []}]})),
            (true, json!({"a": [null]})),
            (true, json!({"a": {"b": [1, [2, null]]}})),
            (true, json!({"a": [{"b": null}]})),
        ] {
            assert_eq!(null_below_array(&object(value.clone())), expected, "{value}");
        }
    }

    #[test]
    fn counted_bytes_are_written_bytes() {
        for value in [
            json!({}),
            json!({"a": [], "b": {}, "c": [1, -2, 3.5, 1e300, 0.1, u64::MAX, i64::MIN]}),
            json!({"\"\\/\n\r\t\u{8}\u{c}\u{1}\u{7f}ä€😀": ["\u{0}\u{1f}", true, false, null]}),
        ] {
            let written = serde_json::to_vec(&value).unwrap().len();
            assert_eq!(compact_bytes(&object(value)), written);
        }
    }
}
