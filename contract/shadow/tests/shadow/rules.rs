//! Merge, stamps, versions and deltas, one rule a test.

use expect_test::{Expect, expect};
use otaru_shadow::{Document, Rules, UpdateRequest};

use crate::actor::Shadow;

/// The stored state after `updates`, and the stamps as clients see them.
fn check_get(updates: &[&str], expected: Expect) {
    let answer = Shadow::after(updates).get("");
    let document = answer.strip_prefix("get/accepted ").unwrap();
    let end = document.find(",\"version\"").unwrap();
    expected.assert_eq(&document[..end].replace(",\"metadata\"", "\nmetadata")[1..]);
}

/// The answers to the last of `updates`, but for the documents.
fn check_answers(updates: &[&str], expected: Expect) {
    let (last, before) = updates.split_last().unwrap();
    expected.assert_eq(&Shadow::after(before).brief(last));
}

#[test]
fn other_keys_of_an_object_stay_with_their_stamps() {
    check_get(
        &[
            r#"{"state":{"desired":{"config":{"phrase_type":"classic","firmware_version":"1.4.0"}}}}"#,
            r#"{"state":{"desired":{"config":{"phrase_type":"poetic"}}}}"#,
        ],
        expect![[r#"
            "state":{"desired":{"config":{"firmware_version":"1.4.0","phrase_type":"poetic"}},"delta":{"config":{"firmware_version":"1.4.0","phrase_type":"poetic"}}}
            metadata:{"desired":{"config":{"firmware_version":{"timestamp":101},"phrase_type":{"timestamp":102}}}}"#]],
    );
}

#[test]
fn named_leaf_is_stamped_even_when_it_does_not_change() {
    check_get(
        &[r#"{"state":{"reported":{"a":1,"b":1}}}"#, r#"{"state":{"reported":{"a":1}}}"#],
        expect![[r#"
            "state":{"reported":{"a":1,"b":1}}
            metadata:{"reported":{"a":{"timestamp":102},"b":{"timestamp":101}}}"#]],
    );
}

#[test]
fn what_was_reported_is_as_old_as_its_oldest_part() {
    let rules = Rules::default();
    let mut document: Option<Document> = None;
    for (at_s, payload) in [
        (
            7,
            r#"{"state":{"reported":{"config":{"a":1,"b":{"c":1,"d":[2]},"e":{}}},"desired":{"f":1}}}"#,
        ),
        (9, r#"{"state":{"reported":{"config":{"a":1,"b":{"c":1}}}}}"#),
    ] {
        let request = UpdateRequest::parse(payload.as_bytes(), &rules).unwrap();
        document = Some(Document::apply(document.as_ref(), &request, at_s, &rules).unwrap());
    }
    let reported_at = |path: &[&str]| document.as_ref().unwrap().reported_at(path);
    assert_eq!(reported_at(&["config", "a"]), Some(9));
    assert_eq!(reported_at(&["config", "b", "c"]), Some(9));
    assert_eq!(reported_at(&["config", "b"]), Some(7));
    for nothing in [&["config", "e"][..], &["config", "a", "x"], &["f"], &["x"], &[]] {
        assert_eq!(reported_at(nothing), None, "{nothing:?}");
    }
}

#[test]
fn null_removes_its_key_only_and_the_emptied_parent_stays() {
    check_get(
        &[
            r#"{"state":{"reported":{"a":{"b":1},"c":1}}}"#,
            r#"{"state":{"reported":{"a":{"b":null},"x":null}}}"#,
        ],
        expect![[r#"
            "state":{"reported":{"a":{},"c":1}}
            metadata:{"reported":{"a":{},"c":{"timestamp":101}}}"#]],
    );
}

#[test]
fn section_that_becomes_empty_vanishes() {
    check_get(
        &[
            r#"{"state":{"desired":{"a":1},"reported":{"a":1}}}"#,
            r#"{"state":{"desired":{"a":null}}}"#,
        ],
        expect![[r#"
            "state":{"reported":{"a":1}}
            metadata:{"reported":{"a":{"timestamp":101}}}"#]],
    );
}

#[test]
fn null_state_clears_both_sections_and_the_shadow_stays() {
    check_get(
        &[r#"{"state":{"desired":{"a":1},"reported":{"b":1}}}"#, r#"{"state":null}"#],
        expect![[r#"
            "state":{}
            metadata:{}"#]],
    );
}

#[test]
fn null_section_leaves_the_other() {
    check_get(
        &[r#"{"state":{"desired":{"a":1},"reported":{"a":2}}}"#, r#"{"state":{"desired":null}}"#],
        expect![[r#"
            "state":{"reported":{"a":2}}
            metadata:{"reported":{"a":{"timestamp":101}}}"#]],
    );
}

#[test]
fn empty_patches_change_nothing() {
    check_get(
        &[
            r#"{"state":{"desired":{"a":{"b":1}}}}"#,
            r#"{"state":{}}"#,
            r#"{"state":{"desired":{}}}"#,
            r#"{"state":{"desired":{"a":{}}}}"#,
        ],
        expect![[r#"
            "state":{"desired":{"a":{"b":1}},"delta":{"a":{"b":1}}}
            metadata:{"desired":{"a":{"b":{"timestamp":101}}}}"#]],
    );
}

#[test]
fn empty_update_may_create_a_shadow() {
    check_get(
        &[r#"{"state":{}}"#],
        expect![[r#"
        "state":{}
        metadata:{}"#]],
    );
}

#[test]
fn empty_values_are_kept() {
    check_get(
        &[r#"{"state":{"desired":{"a":{},"b":[],"c":"","d":[{}]}}}"#],
        expect![[r#"
        "state":{"desired":{"a":{},"b":[],"c":"","d":[{}]},"delta":{"a":{},"b":[],"c":"","d":[{}]}}
        metadata:{"desired":{"a":{},"b":[],"c":{"timestamp":101},"d":[{}]}}"#]],
    );
}

#[test]
fn nulls_of_a_new_object_are_not_stored() {
    check_get(
        &[r#"{"state":{"desired":{"x":{"y":null,"z":{"w":null,"v":1}}}}}"#],
        expect![[r#"
            "state":{"desired":{"x":{"z":{"v":1}}},"delta":{"x":{"z":{"v":1}}}}
            metadata:{"desired":{"x":{"z":{"v":{"timestamp":101}}}}}"#]],
    );
}

#[test]
fn scalars_and_objects_replace_each_other() {
    check_get(
        &[
            r#"{"state":{"reported":{"a":1,"b":{"c":1},"d":[1],"e":{"f":1}}}}"#,
            r#"{"state":{"reported":{"a":{"x":{"y":1}},"b":2,"d":{"z":1},"e":[1]}}}"#,
        ],
        expect![[r#"
            "state":{"reported":{"a":{"x":{"y":1}},"b":2,"d":{"z":1},"e":[1]}}
            metadata:{"reported":{"a":{"x":{"y":{"timestamp":102}}},"b":{"timestamp":102},"d":{"z":{"timestamp":102}},"e":[{"timestamp":102}]}}"#]],
    );
}

#[test]
fn arrays_are_replaced_whole_and_stamped_by_element() {
    check_get(
        &[
            r#"{"state":{"reported":{"a":[1,2,3]}}}"#,
            r#"{"state":{"reported":{"a":[9,{"b":[true]}]}}}"#,
        ],
        expect![[r#"
            "state":{"reported":{"a":[9,{"b":[true]}]}}
            metadata:{"reported":{"a":[{"timestamp":102},{"b":[{"timestamp":102}]}]}}"#]],
    );
}

#[test]
fn key_called_timestamp_is_a_key() {
    check_get(
        &[
            r#"{"state":{"desired":{"timestamp":5}}}"#,
            r#"{"state":{"desired":{"x":{"timestamp":{"timestamp":1}}}}}"#,
        ],
        expect![[r#"
            "state":{"desired":{"timestamp":5,"x":{"timestamp":{"timestamp":1}}},"delta":{"timestamp":5,"x":{"timestamp":{"timestamp":1}}}}
            metadata:{"desired":{"timestamp":{"timestamp":101},"x":{"timestamp":{"timestamp":{"timestamp":102}}}}}"#]],
    );
}

#[test]
fn delta_is_what_reported_lacks_never_what_only_it_has() {
    check_answers(
        &[
            r#"{"state":{"desired":{"a":1,"b":{"c":1,"d":2},"e":[1,2],"f":{},"g":{},"h":1,"i":"1"}}}"#,
            r#"{"state":{"reported":{"b":{"c":1,"d":3,"only":1},"e":[2,1],"g":{"x":1},"h":1.0,"i":1,"only":1}}}"#,
        ],
        expect![[r#"
            update/delta {"version":2,"timestamp":102,"state":{"a":1,"b":{"d":2},"e":[1,2],"f":{},"i":"1"},"metadata":{"a":{"timestamp":101},"b":{"d":{"timestamp":101}},"e":[{"timestamp":101},{"timestamp":101}],"f":{},"i":{"timestamp":101}}}
            update/accepted {"state":{"reported":{"b":{"c":1,"d":3,"only":1},"e":[2,1],"g":{"x":1},"h":1.0,"i":1,"only":1}},"metadata":{"reported":{"b":{"c":{"timestamp":102},"d":{"timestamp":102},"only":{"timestamp":102}},"e":[{"timestamp":102},{"timestamp":102}],"g":{"x":{"timestamp":102}},"h":{"timestamp":102},"i":{"timestamp":102},"only":{"timestamp":102}}},"version":2,"timestamp":102}
        "#]],
    );
}

#[test]
fn delta_is_sent_again_while_the_gap_is_open() {
    check_answers(
        &[
            r#"{"state":{"desired":{"a":1}},"clientToken":"t1"}"#,
            r#"{"state":{"reported":{"z":1}},"clientToken":"t2"}"#,
        ],
        expect![[r#"
            update/delta {"version":2,"timestamp":102,"state":{"a":1},"metadata":{"a":{"timestamp":101}},"clientToken":"t2"}
            update/accepted {"state":{"reported":{"z":1}},"metadata":{"reported":{"z":{"timestamp":102}}},"version":2,"timestamp":102,"clientToken":"t2"}
        "#]],
    );
}

#[test]
fn no_delta_is_sent_once_they_agree() {
    check_answers(
        &[
            r#"{"state":{"desired":{"a":1,"b":{"c":[1]}}}}"#,
            r#"{"state":{"reported":{"a":1.0,"b":{"c":[1],"d":1}}}}"#,
        ],
        expect![[r#"
            update/accepted {"state":{"reported":{"a":1.0,"b":{"c":[1],"d":1}}},"metadata":{"reported":{"a":{"timestamp":102},"b":{"c":[{"timestamp":102}],"d":{"timestamp":102}}}},"version":2,"timestamp":102}
        "#]],
    );
}

#[test]
fn removing_reported_wishes_for_all_of_desired() {
    check_answers(
        &[
            r#"{"state":{"desired":{"a":{"b":1}},"reported":{"a":{"b":1}}}}"#,
            r#"{"state":{"reported":null}}"#,
        ],
        expect![[r#"
            update/delta {"version":2,"timestamp":102,"state":{"a":{"b":1}},"metadata":{"a":{"b":{"timestamp":101}}}}
            update/accepted {"state":{"reported":null},"metadata":{"reported":{"timestamp":102}},"version":2,"timestamp":102}
        "#]],
    );
}

#[test]
fn accepted_echoes_the_request_with_its_nulls() {
    let mut shadow = Shadow::fresh();
    let answers = [
        shadow.brief(r#"{"state":{"desired":{"a":{"b":null},"c":[1,{"d":2}],"e":{}}},"clientToken":"app-7"}"#),
        shadow.brief(r#"{"state":{"desired":null,"reported":{"a":1}}}"#),
        shadow.brief(r#"{"state":null}"#),
        shadow.brief(r#"{"state":{}}"#),
        shadow.brief(r#"{"state":{"reported":{}},"metadata":{"x":1},"timestamp":3,"more":[null]}"#),
    ];
    expect![[r#"
        update/delta {"version":1,"timestamp":101,"state":{"a":{},"c":[1,{"d":2}],"e":{}},"metadata":{"a":{},"c":[{"timestamp":101},{"d":{"timestamp":101}}],"e":{}},"clientToken":"app-7"}
        update/accepted {"state":{"desired":{"a":{"b":null},"c":[1,{"d":2}],"e":{}}},"metadata":{"desired":{"a":{"b":{"timestamp":101}},"c":[{"timestamp":101},{"d":{"timestamp":101}}],"e":{}}},"version":1,"timestamp":101,"clientToken":"app-7"}
        update/accepted {"state":{"desired":null,"reported":{"a":1}},"metadata":{"desired":{"timestamp":102},"reported":{"a":{"timestamp":102}}},"version":2,"timestamp":102}
        update/accepted {"state":null,"metadata":{"timestamp":103},"version":3,"timestamp":103}
        update/accepted {"state":{},"metadata":{},"version":4,"timestamp":104}
        update/accepted {"state":{"reported":{}},"metadata":{"reported":{}},"version":5,"timestamp":105}
    "#]].assert_eq(&answers.concat());
}

#[test]
fn documents_hold_whole_sections_and_consecutive_versions() {
    let mut shadow = Shadow::fresh();
    let updates = [
        r#"{"state":{"reported":{"a":1}},"clientToken":"t"}"#,
        r#"{"state":{"desired":{"b":2}}}"#,
        r#"{"state":null}"#,
    ];
    let answers = updates.map(|update| shadow.update(update));
    let documents: String = answers
        .iter()
        .flat_map(|answers| answers.lines())
        .filter_map(|line| line.strip_prefix("update/documents "))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        {"previous":null,"current":{"state":{"reported":{"a":1}},"metadata":{"reported":{"a":{"timestamp":101}}},"version":1},"timestamp":101,"clientToken":"t"}
        {"previous":{"state":{"reported":{"a":1}},"metadata":{"reported":{"a":{"timestamp":101}}},"version":1},"current":{"state":{"desired":{"b":2},"reported":{"a":1}},"metadata":{"desired":{"b":{"timestamp":102}},"reported":{"a":{"timestamp":101}}},"version":2},"timestamp":102}
        {"previous":{"state":{"desired":{"b":2},"reported":{"a":1}},"metadata":{"desired":{"b":{"timestamp":102}},"reported":{"a":{"timestamp":101}}},"version":2},"current":{"state":{},"metadata":{},"version":3},"timestamp":103}
    "#]].assert_eq(&documents);
}

#[test]
fn first_version_is_1_and_the_same_update_again_is_2() {
    let update = r#"{"state":{"desired":{"a":1}}}"#;
    let mut shadow = Shadow::after(&[update]);
    assert_eq!(shadow.stored.as_ref().unwrap().version(), 1);
    shadow.update(update);
    assert_eq!(shadow.stored.as_ref().unwrap().version(), 2);
}

#[test]
fn update_may_name_the_version_it_means() {
    let mut shadow = Shadow::fresh();
    let steps = [
        shadow.brief(r#"{"state":{},"version":1}"#),
        shadow.brief(r#"{"state":{},"version":0}"#),
        shadow.brief(r#"{"state":{},"version":1}"#),
        shadow.brief(r#"{"state":{},"version":1}"#),
        shadow.brief(r#"{"state":{},"version":3,"clientToken":"t"}"#),
        shadow.brief(r#"{"state":{},"version":2}"#),
    ];
    expect![[r#"
        update/rejected {"code":409,"message":"Version conflict"}
        update/accepted {"state":{},"metadata":{},"version":1,"timestamp":102}
        update/accepted {"state":{},"metadata":{},"version":2,"timestamp":103}
        update/rejected {"code":409,"message":"Version conflict"}
        update/rejected {"code":409,"message":"Version conflict","clientToken":"t"}
        update/accepted {"state":{},"metadata":{},"version":3,"timestamp":106}
    "#]]
    .assert_eq(&steps.concat());
}

#[test]
fn get_and_delete_read_nothing_but_the_token() {
    let mut shadow = Shadow::after(&[r#"{"state":{}}"#]);
    let answers = [
        "",
        "{}",
        "\0",
        "not json",
        "[1]",
        r#"{"clientToken":"t","x":null}"#,
        r#"{"clientToken":7}"#,
    ]
    .map(|payload| shadow.get(payload));
    expect![[r#"
        get/accepted {"state":{},"metadata":{},"version":1,"timestamp":102}
        get/accepted {"state":{},"metadata":{},"version":1,"timestamp":103}
        get/accepted {"state":{},"metadata":{},"version":1,"timestamp":104}
        get/accepted {"state":{},"metadata":{},"version":1,"timestamp":105}
        get/accepted {"state":{},"metadata":{},"version":1,"timestamp":106}
        get/accepted {"state":{},"metadata":{},"version":1,"timestamp":107,"clientToken":"t"}
        get/rejected {"code":400,"message":"Invalid clientToken"}
    "#]]
    .assert_eq(&answers.concat());
}

/// A parser that is off by one bit in the last place would keep this delta open for ever.
#[test]
fn number_of_17_digits_survives_storage() {
    let mut shadow = Shadow::fresh();
    for number in
        ["0.0015555555555555557", "1.7976931348623157e308", "5e-324", "2.2250738585072011e-308"]
    {
        shadow.update(&format!(r#"{{"state":{{"desired":{{"a":{number}}}}}}}"#));
        shadow.update(r#"{"state":{"desired":{"b":1},"reported":{"b":1}}}"#);
        let answers = shadow.update(&format!(r#"{{"state":{{"reported":{{"a":{number}}}}}}}"#));
        assert!(!answers.contains("update/delta"), "{answers}");
    }
}
