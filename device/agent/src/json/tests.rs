use alloc::string::{String, ToString};

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-3..3i64).prop_map(Value::from),
        (-3..3i32).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        "[a-c\"\\\\é\u{1}\u{1F600}]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-c\"é]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::btree_map("[a-c]", prop_oneof![value(), Just(Value::Null)], 0..4)
        .prop_map(|members| members.into_iter().collect())
}

/// Texts that are JSON, or nearly.
fn text() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(
        &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"\\u00e9\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\udc00\"",
            "\\",
            "\\n",
            "\\u12",
            "0",
            "1",
            "-",
            ".5",
            "e3",
            "E+",
            "true",
            "false",
            "null",
            "nul",
            " ",
            "\n",
            "\u{1}",
            "é",
        ][..],
    );
    let pieces = proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat());
    prop_oneof![pieces, value().prop_map(|value| value.to_string())]
}

fn written(write: impl FnOnce(&mut Out<'_>)) -> String {
    let mut written = String::new();
    write(&mut |piece| written.push_str(piece));
    written
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

proptest! {
    #[test]
    fn what_is_json_is_what_it_is_elsewhere(text in text()) {
        let expected = serde_json::from_str::<Value>(&text);
        let found = Json::parse(text.as_bytes());
        prop_assert_eq!(found.is_some(), expected.is_ok(), "{}", text);
        if let (Some(found), Ok(expected)) = (found, expected) {
            prop_assert_eq!(read(found.as_str()), expected);
        }
    }

    #[test]
    fn members_and_strings_are_read_as_elsewhere(members in object()) {
        let text = Value::Object(members.clone()).to_string();
        let object = Json::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(object.members().count(), members.len());
        for (name, value) in &members {
            let found = object.member(name).unwrap();
            prop_assert_eq!(&read(found.as_str()), value);
            if let Some(expected) = value.as_str() {
                let decoded = found.as_text().unwrap().decode::<16>().unwrap();
                prop_assert_eq!(decoded.as_str(), expected);
            }
            prop_assert_eq!(found.as_u64(), value.as_u64());
        }
    }

    #[test]
    fn prints_are_the_same_where_values_are(a in value(), b in value()) {
        let (left, right) = (a.to_string(), b.to_string());
        let print = |text: &str| Json::parse(text.as_bytes()).unwrap().print();
        prop_assert_eq!(print(&left) == print(&right), reference::same_value(&a, &b));
        let spaced = serde_json::to_string_pretty(&a).unwrap();
        prop_assert_eq!(print(&left), print(&spaced));
    }

    #[test]
    fn merging_text_is_merging_values(target in object(), patch in object()) {
        // What is kept never holds a null.
        let mut expected = Map::new();
        reference::merge(&mut expected, &target);
        let text = Value::Object(expected.clone()).to_string();
        let target = Json::parse(text.as_bytes()).unwrap();
        reference::merge(&mut expected, &patch);
        let text = Value::Object(patch).to_string();
        let patch = Json::parse(text.as_bytes()).unwrap();
        let merged = written(|out| merge(target, patch, out));
        prop_assert_eq!(read(&merged), Value::Object(expected));
    }

    #[test]
    fn the_difference_of_texts_is_that_of_values(known in value(), truth in value()) {
        let Some(expected) = reference::difference(Some(&known), &truth) else { return Ok(()) };
        let (known, truth) = (known.to_string(), truth.to_string());
        let known = Json::parse(known.as_bytes()).unwrap();
        let truth = Json::parse(truth.as_bytes()).unwrap();
        let found = written(|out| difference(Some(known), truth, out));
        prop_assert_eq!(read(&found), expected);
    }

    #[test]
    fn numbers_and_strings_are_written_as_elsewhere(
        number in prop_oneof![any::<u64>(), 0..1000u64],
        signed in any::<i64>(),
        text in "\\PC{0,8}|[\u{0}-\u{22}\\\\]{0,8}",
    ) {
        let found = Decimal::new(number);
        prop_assert_eq!(found.as_str(), number.to_string());
        let found = Signed::new(signed);
        prop_assert_eq!(signed.to_string(), [found.sign, found.digits.as_str()].concat());
        let found = written(|out| write_text(&text, out));
        prop_assert_eq!(read(&found), Value::from(text));
    }
}

#[test]
fn numbers_print_by_value() {
    let print = |text| Json::parse(text).unwrap().print();
    for (a, b) in [
        (&b"1"[..], &b"1.0"[..]),
        (b"100", b"1e2"),
        (b"100", b"1E+2"),
        (b"0.5", b"5e-1"),
        (b"0", b"-0.0"),
        (b"0", b"0e7"),
        (b"1050", b"1.05e3"),
    ] {
        assert_eq!(print(a), print(b));
    }
    for (a, b) in [(&b"1"[..], &b"-1"[..]), (b"1", b"10"), (b"10", b"101"), (b"105", b"15")] {
        assert_ne!(print(a), print(b));
    }
}

#[test]
fn whole_numbers_are_digits_that_64_bits_hold() {
    for (text, expected) in [
        ("0", Some(0)),
        ("1152921504606846975", Some(u64::MAX >> 4)),
        ("11529215046068469760", Some(11_529_215_046_068_469_760)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("18446744073709551620", None),
        ("99999999999999999999", None),
        ("184467440737095516150", None),
        ("", None),
        ("1:", None),
        ("-1", None),
        ("1.0", None),
    ] {
        assert_eq!(whole_number(text), expected, "{text}");
    }
}

#[test]
fn escapes_are_the_characters_they_stand_for() {
    let text = r#""\u00e9\u20AC\uFFFD\ud83d\ude00\uD800\uDC00\udbff\udfff\t\/""#;
    let found = Json::parse(text.as_bytes()).and_then(Json::as_text).unwrap();
    let expected = "\u{e9}\u{20ac}\u{fffd}\u{1f600}\u{10000}\u{10ffff}\t/";
    assert_eq!(found.decode::<32>().unwrap().as_str(), expected);
    assert!(found.is(expected));
    for half in [r#""\ud83d\u2000""#, r#""\ud83d""#, r#""\ude00""#] {
        assert!(Json::parse(half.as_bytes()).is_none(), "{half}");
    }
}

#[test]
fn objects_within_objects_are_merged() {
    let parse = |text: &'static str| Json::parse(text.as_bytes()).unwrap();
    let (target, patch) = (parse(r#"{"a":{"b":1,"c":2}}"#), parse(r#"{"a":{"b":3}}"#));
    assert_eq!(written(|out| merge(target, patch, out)), r#"{"a":{"b":3,"c":2}}"#);
}

#[test]
fn nulls_count_in_arrays_alone() {
    let parse = |text: &'static str| Json::parse(text.as_bytes()).unwrap();
    assert!(parse(r#"{"a":null,"b":1}"#).same(parse(r#"{"b":1}"#)));
    assert!(!parse(r#"[{"a":null}]"#).same(parse("[{}]")));
    let copied = written(|out| parse(r#" { "a" : null , "b" : [ { "c" : null } ] } "#).write(out));
    assert_eq!(copied, r#"{"b":[{"c":null}]}"#);
}

#[test]
fn the_last_of_two_members_counts() {
    let object = Json::parse(br#"{"a":1,"a":2}"#).unwrap();
    assert_eq!(object.member("a").unwrap().as_u64(), Some(2));
}

#[test]
fn what_is_too_deep_is_not_understood() {
    let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes();
    assert!(Json::parse(&nested(LEVELS.into())).is_some());
    assert!(Json::parse(&nested(usize::from(LEVELS) + 1)).is_none());
    assert!(Json::parse(&nested(100_000)).is_none());
}
