//! Size and nesting, at the edge.

use crate::actor::Shadow;

/// `{"state":{"desired":…}}` with `levels` levels of keys.
fn nested(levels: usize) -> String {
    let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
    format!(r#"{{"state":{{"desired":{open}1{close}}}}}"#)
}

/// An update whose section is `bytes` long as compact JSON.
fn section(name: &str, bytes: usize) -> String {
    let text = "x".repeat(bytes - r#"{"a":""}"#.len());
    format!(r#"{{"state":{{"{name}":{{"a":"{text}"}}}}}}"#)
}

fn is_too_large(answer: &str) -> bool {
    answer.starts_with(r#"update/rejected {"code":413,"#)
}

#[test]
fn eight_levels_are_taken_and_nine_are_not() {
    for levels in 1..=8 {
        assert!(Shadow::fresh().update(&nested(levels)).contains("update/accepted"), "{levels}");
    }
    let answer = Shadow::fresh().update(&nested(9));
    assert!(answer.contains("too many levels of nesting; maximum is 6"), "{answer}");
}

#[test]
fn document_of_8192_bytes_is_taken_and_one_more_is_not() {
    assert!(!is_too_large(&Shadow::fresh().update(&section("desired", 8192))));
    assert!(is_too_large(&Shadow::fresh().update(&section("desired", 8193))));
}

#[test]
fn both_sections_count_after_the_merge() {
    let mut shadow = Shadow::after(&[&section("desired", 5000)]);
    assert!(is_too_large(&shadow.update(&section("reported", 3193))));
    assert!(!is_too_large(&shadow.update(&section("reported", 3192))));
    // Replacing a value frees its room, and so does removing it.
    assert!(!is_too_large(&shadow.update(&section("desired", 4000))));
    assert!(!is_too_large(&shadow.update(r#"{"state":{"desired":null}}"#)));
    assert!(!is_too_large(&shadow.update(&section("reported", 8192))));
}

#[test]
fn white_space_token_and_stamps_do_not_count() {
    let token = "t".repeat(64);
    let update = section("desired", 8192);
    let padded = format!(
        "{}, \"clientToken\":\"{token}\"{}}}",
        &update[..update.len() - 1],
        " ".repeat(9000)
    );
    assert!(!is_too_large(&Shadow::fresh().update(&padded)));
}

#[test]
fn payload_over_128_kib_is_refused_before_it_is_read() {
    let payload = format!("{{{}", " ".repeat(128 * 1024));
    assert!(
        !is_too_large(&Shadow::fresh().update(&payload)),
        "trailing white space does not count"
    );
    let payload = format!("{}x", " ".repeat(128 * 1024));
    assert!(is_too_large(&Shadow::fresh().update(&payload)));
}
