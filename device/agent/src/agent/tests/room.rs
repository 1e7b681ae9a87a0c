//! The room of settings, to the byte: what fits, what does not, and what is told of it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::product::Product;

/// Half of the room.
const HALF: usize = 32;
type Small = Product<{ 2 * HALF }>;

fn refusal(name: &str, bytes: usize, max: usize) -> String {
    let why = format!("{bytes} bytes of settings, {max} can be kept");
    format!("setting {name} was not applied: {why}; again in 30000 ms")
}

/// What is kept, what is wanted one after the other, the name of the last, what it comes to.
const FITTING: [(&str, &[&str], &str, &str); 9] = [
    ("", &[r#""a":1"#], "a", r#"{"a":1}"#),
    (r#"{"a":1}"#, &[r#""b":22"#], "b", r#"{"a":1,"b":22}"#),
    (r#"{"b":1}"#, &[r#""a":22"#], "a", r#"{"a":22,"b":1}"#),
    (r#"{"a":1,"c":3}"#, &[r#""b":22"#], "b", r#"{"a":1,"b":22,"c":3}"#),
    (r#"{"a":1,"b":2}"#, &[r#""a":"longer""#], "a", r#"{"a":"longer","b":2}"#),
    (r#"{"a":"longer","b":2}"#, &[r#""a":1"#], "a", r#"{"a":1,"b":2}"#),
    (r#"{"\u00e9":1}"#, &[r#""\u00E9":22"#], r"\u00E9", r#"{"\u00E9":22}"#),
    ("", &[r#""a":1,"b":22"#, r#""c":3"#], "c", r#"{"a":1,"b":22,"c":3}"#),
    // Of two under one name the newer counts.
    ("", &[r#""a":"longest""#, r#""a":1"#, r#""b":"longer""#], "b", r#"{"a":1,"b":"longer"}"#),
];

#[test]
fn settings_that_fit_to_the_last_byte_are_applied() {
    for (kept, wanted, _, comes_to) in FITTING {
        let mut product = Small::new(comes_to.len(), kept);
        wanted.iter().for_each(|wanted| product.want(wanted));
        assert_eq!(product.said, [""; 0], "{comes_to}");
        product.apply_all();
        assert_eq!(product.agent.settings(), comes_to);
    }
}

#[test]
fn settings_with_a_byte_too_many_are_not_handed_over() {
    for (kept, wanted, name, comes_to) in FITTING {
        let max = comes_to.len() - 1;
        let mut product = Small::new(max, kept);
        let (last, before) = wanted.split_last().unwrap();
        before.iter().for_each(|wanted| product.want(wanted));
        let in_hand = product.in_hand().len();
        product.want(last);
        assert_eq!(product.said, [refusal(name, comes_to.len(), max)]);
        assert_eq!(product.in_hand().len(), in_hand, "{comes_to}");
    }
}

#[test]
fn what_the_product_refused_takes_nothing_of_what_can_be_kept() {
    let mut product = Small::new(13, r#"{"a":1}"#);
    product.want(r#""b":2"#);
    product.answer(0, false);
    product.want(r#""c":3"#);
    assert_eq!(product.in_hand(), [r#""c":3"#]);
}

/// However much may be kept: the other half is for what is wanted.
#[test]
fn settings_never_take_more_than_half_of_the_room() {
    for bytes in [HALF, HALF + 1, HALF + 2] {
        let text = "x".repeat(bytes - r#"{"a":""}"#.len());
        let mut product = Small::new(4000, "");
        product.want(&format!(r#""a":"{text}""#));
        assert_eq!(product.in_hand().len(), usize::from(bytes == HALF), "{:?}", product.said);
        if bytes > HALF {
            assert_eq!(product.said, [refusal("a", bytes, HALF)]);
        }
    }
}

/// It shrank in the product's hands, which made room, and grew back when the product refused.
#[test]
fn one_that_finds_its_room_taken_is_refused() {
    let text = "x".repeat(HALF - r#"{"a":22,"b":""}"#.len());
    for (value, is_applied) in [("22", true), ("333", false)] {
        let kept = format!(r#"{{"b":"{text}"}}"#);
        let mut product = Small::new(HALF, &kept);
        product.want(&format!(r#""b":1,"a":{value}"#));
        product.answer(0, false);
        product.answer(0, true);
        let both = format!(r#"{{"a":{value},"b":"{text}"}}"#);
        assert_eq!(product.agent.settings(), if is_applied { both } else { kept });
        let said = product.said.last().unwrap();
        assert_eq!(!said.contains("setting a was not applied: there are too many"), is_applied);
    }
}

#[test]
fn a_65th_setting_is_refused_and_another_value_of_one_is_not() {
    let numbered = |count| (0..count).map(|n| format!(r#""n{n:02}":1"#)).collect::<Vec<_>>();
    let kept = format!("{{{}}}", numbered(64).join(","));
    let mut product: Product<2048> = Product::new(4000, &kept);
    product.want(r#""n64":1"#);
    product.apply_all();
    assert_eq!(product.agent.settings(), kept);
    let refused = "setting n64 was not applied: there are too many; again in 30000 ms";
    assert_eq!(product.said, [refused]);
    product.want(r#""n63":2"#);
    product.apply_all();
    assert_eq!(product.agent.settings(), kept.replace(r#""n63":1"#, r#""n63":2"#));
}

#[test]
fn kept_settings_that_fit_to_the_last_byte_are_restored() {
    for too_many in [0, 1] {
        let text = "x".repeat(HALF - r#"{"a":1,"b":""}"#.len() + too_many);
        let kept = format!(r#"{{"a":1,"b":"{text}"}}"#);
        let product = Small::new(HALF, &kept);
        assert_eq!(product.agent.settings(), if too_many == 0 { &kept } else { r#"{"a":1}"# });
        assert_eq!(product.said.len(), too_many, "{:?}", product.said);
    }
}

/// Both have hardly room beside each other: a third finds its own where the first stood.
#[test]
fn room_of_what_was_answered_is_used_again() {
    let mut product = Small::new(HALF, r#"{"a":"12345678","b":"12345678"}"#);
    product.want(r#""a":"abcdefgh","b":"abcdefgh""#);
    product.answer(0, true);
    product.want(r#""a":"87654321""#);
    assert_eq!(product.in_hand(), [r#""b":"abcdefgh""#, r#""a":"87654321""#]);
    product.apply_all();
    assert_eq!(product.agent.settings(), r#"{"a":"87654321","b":"abcdefgh"}"#);
}

/// What the service lacks is told by place, and places change.
#[test]
fn what_the_service_lacks_stays_that_when_one_is_put_between() {
    let mut product = Small::new(HALF, r#"{"a":1,"b":2,"d":4}"#);
    product.read(r#""c":3"#, r#""b":2"#);
    product.apply_all();
    product.take_report();
    let told = r#"{"state":{"reported":{"config":{"a":1,"c":3,"d":4}}},"#;
    assert!(product.report.starts_with(told), "{}", product.report);
}
