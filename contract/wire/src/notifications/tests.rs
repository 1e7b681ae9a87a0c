use alloc::vec::Vec;

use prost::Message;
use serde_json::json;

use super::*;

/// One event of each kind, with every member it can have.
fn events() -> Vec<(&'static str, Value)> {
    let update = json!({
        "id": "u-1", "thing": "clock-01", "product": "clock", "version": "1.0.5", "from": "1.0.4",
        "phase": "downloading", "outcome": null, "reason": null, "done": 41, "total": 100,
        "attempt": 1, "cancel_requested": false, "decided_by": "owner", "when": null,
        "until": null, "downgrade": false, "requested_at": "2026-11-23T12:00:00.000Z",
        "phase_at": "2026-11-23T12:00:01.000Z",
    });
    let mut finished = update.clone();
    finished["outcome"] = json!("rolled_back");
    finished["reason"] = json!({ "code": 33, "name": "self_test_failed" });
    finished["downgrade"] = json!(true);
    finished["when"] = json!("tonight");
    finished["until"] = json!("2026-11-24T02:00:00.000Z");
    Vec::from([
        (
            "firmware_available",
            json!({
                "thing": "clock-01", "product": "clock", "version": "1.0.5",
                "notes": "Quieter at night", "size": 1_500_000,
            }),
        ),
        ("update_changed", update),
        ("update_finished", finished),
        (
            "settings_changed",
            json!({ "thing": "clock-01", "settings": {
                "night": true, "volume": -3, "gain": 0.5, "phrase_type": "poetic",
                "cleared": null, "huge": u64::MAX, "zones": [{ "name": "hall" }],
            }}),
        ),
        ("device_online", json!({ "thing": "clock-01" })),
        ("device_offline", json!({ "thing": "clock-01" })),
        ("device_changed", json!({ "thing": "clock-01" })),
    ])
}

#[test]
fn every_kind_has_fields_and_loses_nothing() {
    for (kind, body) in events() {
        let response = ListenUpdatesResponse::event(Some(7), kind, &body.to_string());
        let sent = ListenUpdatesResponse::decode(response.encode_to_vec().as_slice()).unwrap();
        assert_eq!(sent.id, Some(7));
        let event = sent.event.expect("an event");
        assert!(!matches!(event, Event::Other(_)), "{kind} has no fields");
        assert_eq!(event.to_json(), (kind.to_owned(), body));
    }
}

#[test]
fn what_has_no_message_comes_as_it_is() {
    let body = r#"{"group":"kitchen"}"#;
    let strange = ListenUpdatesResponse::event(None, "group_changed", body);
    let other = OtherEvent { kind: "group_changed".to_owned(), json: body.to_owned() };
    assert_eq!(strange.event, Some(Event::Other(other)));
    let unlike = ListenUpdatesResponse::event(Some(1), "update_changed", r#"{"done":"much"}"#);
    assert!(matches!(unlike.event, Some(Event::Other(_))), "{unlike:?}");
}

#[test]
fn an_event_of_an_older_server_has_the_members_it_had() {
    let event = ListenUpdatesResponse::event(Some(1), "update_changed", r#"{"thing":"clock-01"}"#);
    let Some(Event::UpdateChanged(update)) = event.event else { panic!("{event:?}") };
    assert_eq!((update.thing.as_str(), update.phase.as_str()), ("clock-01", ""));
}

/// Bytes that apps in the field send and keep: their meaning never changes.
#[test]
fn messages_of_released_apps_are_read_as_ever() {
    let request = ListenUpdatesRequest { last_event_id: Some(300), fleet: true };
    assert_eq!(request.encode_to_vec(), [0x08, 0xac, 0x02, 0x10, 0x01]);
    assert_eq!(ListenUpdatesRequest::decode(&[][..]).unwrap(), ListenUpdatesRequest::default());
    let online = ListenUpdatesResponse::event(Some(5), "device_online", r#"{"thing":"a"}"#);
    assert_eq!(online.encode_to_vec(), [0x08, 0x05, 0x32, 0x03, 0x0a, 0x01, b'a']);
    assert_eq!(ListenUpdatesResponse::place(0).encode_to_vec(), [0x08, 0x00]);
    assert!(ListenUpdatesResponse::sign_of_life().encode_to_vec().is_empty());
}
