//! A shadow's whole life, as the specification of the messages walks through it.

use expect_test::expect;
use otaru_shadow::Rules;

use crate::actor::Shadow;

#[test]
fn life_of_a_classic_shadow() {
    let mut shadow = Shadow::fresh();
    let steps = [
        shadow.get(""),
        shadow.update(r#"{"state":{"reported":{"config":{"firmware_version":"1.4.0","phrase_type":"classic"}}},"clientToken":"b1"}"#),
        shadow.update(r#"{"state":{"desired":{"config":{"phrase_type":"poetic"}}}}"#),
        shadow.get(r#"{"clientToken":"g-1"}"#),
        shadow.update(r#"{"state":{"reported":{"config":{"firmware_version":"1.4.1"}}}}"#),
        shadow.update(r#"{"state":{"reported":{"config":{"phrase_type":"poetic"}}}}"#),
        shadow.update(r#"{"state":{"desired":{"config":{"phrase_type":"haiku"}}},"version":3}"#),
        shadow.update(r#"{"state":{"desired":null}}"#),
        shadow.get(""),
        shadow.delete(r#"{"clientToken":"d1"}"#),
        shadow.delete(r#"{"clientToken":"d2"}"#),
        shadow.get(r#"{"clientToken":"g-2"}"#),
        shadow.update(r#"{"state":{"desired":{}},"version":5,"clientToken":"u9"}"#),
        shadow.update(r#"{"state":{"reported":{"config":{"firmware_version":"1.5.0"}}}}"#),
        shadow.get(""),
    ];
    expect![[r#"
        get/rejected {"code":404,"message":"No shadow exists with name: 'clock-01'"}

        update/documents {"previous":null,"current":{"state":{"reported":{"config":{"firmware_version":"1.4.0","phrase_type":"classic"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":102},"phrase_type":{"timestamp":102}}}},"version":1},"timestamp":102,"clientToken":"b1"}
        update/accepted {"state":{"reported":{"config":{"firmware_version":"1.4.0","phrase_type":"classic"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":102},"phrase_type":{"timestamp":102}}}},"version":1,"timestamp":102,"clientToken":"b1"}

        update/delta {"version":2,"timestamp":103,"state":{"config":{"phrase_type":"poetic"}},"metadata":{"config":{"phrase_type":{"timestamp":103}}}}
        update/documents {"previous":{"state":{"reported":{"config":{"firmware_version":"1.4.0","phrase_type":"classic"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":102},"phrase_type":{"timestamp":102}}}},"version":1},"current":{"state":{"desired":{"config":{"phrase_type":"poetic"}},"reported":{"config":{"firmware_version":"1.4.0","phrase_type":"classic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}},"reported":{"config":{"firmware_version":{"timestamp":102},"phrase_type":{"timestamp":102}}}},"version":2},"timestamp":103}
        update/accepted {"state":{"desired":{"config":{"phrase_type":"poetic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}}},"version":2,"timestamp":103}

        get/accepted {"state":{"desired":{"config":{"phrase_type":"poetic"}},"reported":{"config":{"firmware_version":"1.4.0","phrase_type":"classic"}},"delta":{"config":{"phrase_type":"poetic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}},"reported":{"config":{"firmware_version":{"timestamp":102},"phrase_type":{"timestamp":102}}}},"version":2,"timestamp":104,"clientToken":"g-1"}

        update/delta {"version":3,"timestamp":105,"state":{"config":{"phrase_type":"poetic"}},"metadata":{"config":{"phrase_type":{"timestamp":103}}}}
        update/documents {"previous":{"state":{"desired":{"config":{"phrase_type":"poetic"}},"reported":{"config":{"firmware_version":"1.4.0","phrase_type":"classic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}},"reported":{"config":{"firmware_version":{"timestamp":102},"phrase_type":{"timestamp":102}}}},"version":2},"current":{"state":{"desired":{"config":{"phrase_type":"poetic"}},"reported":{"config":{"firmware_version":"1.4.1","phrase_type":"classic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}},"reported":{"config":{"firmware_version":{"timestamp":105},"phrase_type":{"timestamp":102}}}},"version":3},"timestamp":105}
        update/accepted {"state":{"reported":{"config":{"firmware_version":"1.4.1"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":105}}}},"version":3,"timestamp":105}

        update/documents {"previous":{"state":{"desired":{"config":{"phrase_type":"poetic"}},"reported":{"config":{"firmware_version":"1.4.1","phrase_type":"classic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}},"reported":{"config":{"firmware_version":{"timestamp":105},"phrase_type":{"timestamp":102}}}},"version":3},"current":{"state":{"desired":{"config":{"phrase_type":"poetic"}},"reported":{"config":{"firmware_version":"1.4.1","phrase_type":"poetic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}},"reported":{"config":{"firmware_version":{"timestamp":105},"phrase_type":{"timestamp":106}}}},"version":4},"timestamp":106}
        update/accepted {"state":{"reported":{"config":{"phrase_type":"poetic"}}},"metadata":{"reported":{"config":{"phrase_type":{"timestamp":106}}}},"version":4,"timestamp":106}

        update/rejected {"code":409,"message":"Version conflict"}

        update/documents {"previous":{"state":{"desired":{"config":{"phrase_type":"poetic"}},"reported":{"config":{"firmware_version":"1.4.1","phrase_type":"poetic"}}},"metadata":{"desired":{"config":{"phrase_type":{"timestamp":103}}},"reported":{"config":{"firmware_version":{"timestamp":105},"phrase_type":{"timestamp":106}}}},"version":4},"current":{"state":{"reported":{"config":{"firmware_version":"1.4.1","phrase_type":"poetic"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":105},"phrase_type":{"timestamp":106}}}},"version":5},"timestamp":108}
        update/accepted {"state":{"desired":null},"metadata":{"desired":{"timestamp":108}},"version":5,"timestamp":108}

        get/accepted {"state":{"reported":{"config":{"firmware_version":"1.4.1","phrase_type":"poetic"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":105},"phrase_type":{"timestamp":106}}}},"version":5,"timestamp":109}

        delete/accepted {"version":5,"timestamp":110,"clientToken":"d1"}

        delete/rejected {"code":404,"message":"No shadow exists with name: 'clock-01'","clientToken":"d2"}

        get/rejected {"code":404,"message":"No shadow exists with name: 'clock-01'","clientToken":"g-2"}

        update/rejected {"code":409,"message":"Version conflict","clientToken":"u9"}

        update/documents {"previous":null,"current":{"state":{"reported":{"config":{"firmware_version":"1.5.0"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":114}}}},"version":7},"timestamp":114}
        update/accepted {"state":{"reported":{"config":{"firmware_version":"1.5.0"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":114}}}},"version":7,"timestamp":114}

        get/accepted {"state":{"reported":{"config":{"firmware_version":"1.5.0"}}},"metadata":{"reported":{"config":{"firmware_version":{"timestamp":114}}}},"version":7,"timestamp":115}
    "#]].assert_eq(&steps.join("\n"));
}

#[test]
fn versions_go_on_after_every_deletion() {
    let mut shadow = Shadow::fresh();
    let mut versions = Vec::new();
    for _ in 0..3 {
        shadow.update(r#"{"state":{}}"#);
        versions.push(shadow.stored.as_ref().unwrap().version());
        shadow.delete("");
    }
    assert_eq!(versions, [1, 3, 5]);
}

#[test]
fn deleting_what_is_deleted_changes_nothing() {
    let mut shadow = Shadow::after(&[r#"{"state":{"desired":{"a":1}}}"#]);
    shadow.delete("");
    let tombstone = shadow.stored.unwrap();
    assert!(tombstone.is_deleted());
    assert_eq!(tombstone.delete(&Rules::default()), tombstone);
    assert!(tombstone.delta(&Rules::default()).is_none() && tombstone.desired().is_empty());
}
