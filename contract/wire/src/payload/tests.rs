use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::{
    Digest, Outcome, Phase, PresenceEvent, Reason, ReleaseVersion, SubscriptionEvent, UpdateId,
};

fn logs(payload: &str) -> Result<Vec<LogRecord>, PayloadError> {
    LogRecord::parse_payload(payload.as_bytes())
}

fn refused<T: core::fmt::Debug>(result: Result<T, PayloadError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn log_record_keeps_members_it_does_not_know() {
    let payload = r#"{"timestamp":1795430400123,"level":"ERROR","message":"no route","code":"IO_FAILED","thingName":"clock-01","freeHeap":41000,"usedBytes":7,"rssi":-71,"net":{"ap":"home"}}"#;
    let records = logs(payload).unwrap();
    let [record] = records.as_slice() else { panic!("one record") };
    assert_eq!(record.level, LogLevel::Error);
    assert_eq!(record.free_heap_bytes, Some(41000));
    assert_eq!(record.extra["rssi"], json!(-71));
    let back: Value = serde_json::from_slice(&record.to_json()).unwrap();
    assert_eq!(back, serde_json::from_str::<Value>(payload).unwrap());
}

#[test]
fn one_record_an_array_and_an_empty_array_are_taken() {
    let one = r#"{"timestamp":0,"level":"INFO","message":"up"}"#;
    assert_eq!(logs(one).unwrap(), vec![LogRecord::new(0, LogLevel::Info, "up")]);
    assert_eq!(logs(&format!(" [{one},{one}]\n\0")).unwrap().len(), 2);
    assert_eq!(logs("[]").unwrap(), vec![]);
}

#[test]
fn bad_log_payloads_are_refused_by_name() {
    let one = r#"{"timestamp":0,"level":"INFO","message":"up"},"#;
    let many = format!("[{}]", one.repeat(257).trim_end_matches(','));
    let deep = "[".repeat(200);
    let mut table = String::new();
    for payload in [
        "",
        "\0",
        "7",
        "{}",
        r#"{"timestamp":0,"level":"LOUD","message":"up"}"#,
        r#"{"timestamp":"now","level":"INFO","message":"up"}"#,
        r#"{"timestamp":0,"level":"INFO","message":"up","freeHeap":-1}"#,
        &many,
        &" ".repeat(70_000),
        &deep,
    ] {
        table += &refused(logs(payload));
        table += "\n";
    }
    expect![[r#"
        EOF while parsing a value at line 1 column 0
        EOF while parsing a value at line 1 column 0
        invalid type: integer `7`, expected struct LogRecord at line 1 column 1
        missing field `timestamp` at line 1 column 2
        unknown variant `LOUD`, expected one of `DEBUG`, `INFO`, `WARN`, `ERROR` at line 1 column 29
        invalid type: string "now", expected i64 at line 1 column 18
        invalid value: integer `-1`, expected u64 at line 1 column 58
        payload has 257 records, at most 256 are taken
        payload has 70000 bytes, at most 65536 are taken
        invalid type: sequence, expected struct LogRecord at line 1 column 1
    "#]]
    .assert_eq(&table);
}

fn progress() -> Progress {
    Progress {
        version: ReleaseVersion::new("1.0.5").unwrap(),
        phase: Phase::Downloading,
        done: 65536,
        total: 1_500_000,
        attempt: 1,
        until: None,
        wait_ms: None,
        reason: None,
    }
}

#[test]
fn progress_is_compact_and_reads_back() {
    let json = progress().to_json();
    expect![[
        r#"{"version":"1.0.5","phase":"downloading","done":65536,"total":1500000,"attempt":1}"#
    ]]
    .assert_eq(core::str::from_utf8(&json).unwrap());
    assert_eq!(Progress::parse_payload(&json), Ok(progress()));

    let waiting = Progress {
        phase: Phase::Waiting,
        until: Some(1_795_430_400_000),
        wait_ms: Some(30_000),
        reason: Some(Reason::ServerError),
        ..progress()
    };
    let json = waiting.to_json();
    expect![[r#"{"version":"1.0.5","phase":"waiting","done":65536,"total":1500000,"attempt":1,"until":1795430400000,"wait_ms":30000,"reason":25}"#]].assert_eq(core::str::from_utf8(&json).unwrap());
    assert_eq!(Progress::parse_payload(&json), Ok(waiting));
}

#[test]
fn progress_past_the_end_is_refused() {
    let payload = Progress { done: 6, total: 5, ..progress() }.to_json();
    assert_eq!(refused(Progress::parse_payload(&payload)), "6 of 5 bytes are done");
    let payload = Progress { done: 6, total: 0, ..progress() }.to_json();
    assert!(Progress::parse_payload(&payload).is_ok(), "a total of 0 is not known yet");
}

fn report() -> FirmwareReport {
    FirmwareReport {
        sha256: Digest([0x11; 32]),
        version: "1.0.5".into(),
        slot: "ota_1".into(),
        state: FirmwareState::Confirmed,
        last: Some(LastUpdate {
            update: Some(UpdateId::new("0193-a").unwrap()),
            version: "1.0.5".into(),
            sha256: Digest([0x11; 32]),
            outcome: Outcome::Confirmed,
            reason: None,
        }),
        shows_offers: false,
        trust: None,
    }
}

#[test]
fn what_a_device_saw_of_the_trust_travels() {
    let trust = TrustReport { root: 3, timestamp: Some(5), reason: Some(Reason::TimestampStale) };
    let seen = FirmwareReport { trust: Some(trust), ..report() };
    assert_eq!(seen.to_value()["trust"], json!({"root": 3, "timestamp": 5, "reason": 61}));
    assert_eq!(FirmwareReport::from_value(&seen.to_value()), Ok(seen));
}

#[test]
fn a_screen_is_said_and_taken_back() {
    let with_screen = FirmwareReport { shows_offers: true, ..report() };
    assert_eq!(with_screen.to_value()["shows_offers"], true);
    assert_eq!(FirmwareReport::from_value(&with_screen.to_value()), Ok(with_screen));
    // Merged into what was said before, it is gone.
    assert!(report().to_value()["shows_offers"].is_null());
}

#[test]
fn an_offer_travels_without_a_decision_and_comes_back_with_one() {
    let offered = json!({"version": "1.0.5", "sha256": Digest([0x11; 32]), "size": 1_500_000});
    let offer = UpdateOffer::from_value(&offered).unwrap();
    assert_eq!((offer.decision, offer.to_value()), (None, offered));
    for &decision in OfferDecision::ALL {
        let decided = UpdateOffer { decision: Some(decision), ..offer.clone() };
        assert_eq!(decided.to_value()["decision"], decision.as_str());
        assert_eq!(UpdateOffer::from_value(&decided.to_value()), Ok(decided.clone()));
        assert_eq!(decided.undecided(), offer);
    }
    for (member, wrong) in [("version", json!("../evil")), ("decision", json!("maybe"))] {
        let mut offered = offer.to_value();
        offered[member] = wrong;
        assert!(UpdateOffer::from_value(&offered).is_err(), "{member}");
    }
}

/// A report is merged into the shadow: without the `null` the reason of an earlier failure stays.
#[test]
fn absent_members_of_a_report_are_written_as_null() {
    let value = report().to_value();
    assert_eq!(value["last"]["reason"], Value::Null);
    assert!(value["last"].as_object().unwrap().contains_key("reason"));
    assert_eq!(FirmwareReport::from_value(&value), Ok(report()));

    let mut merged = value;
    merged["last"].as_object_mut().unwrap().remove("reason");
    assert_eq!(FirmwareReport::from_value(&merged), Ok(report()));
}

#[test]
fn report_without_a_digest_is_refused() {
    let error = refused(FirmwareReport::from_value(&json!({"version": "1.0.5"})));
    expect!["missing field `sha256`"].assert_eq(&error);
    let error = refused(DesiredUpdate::from_value(&json!("u1")));
    expect![[r#"invalid type: string "u1", expected struct DesiredUpdate"#]].assert_eq(&error);
}

#[test]
fn wished_update_reads_back() {
    let id = UpdateId::new("0193-a").unwrap();
    let wish = DesiredUpdate { id, sha256: Digest([0xab; 32]), attempt: 2 };
    assert_eq!(DesiredUpdate::from_value(&wish.to_value()), Ok(wish));
}

#[test]
fn presence_is_aws_iots() {
    let came = PresencePayload {
        client_id: "clock-01".into(),
        timestamp: 1_795_430_400_123,
        event_type: PresenceEvent::Connected,
        session_identifier: "0b7c".into(),
        principal_identifier: "9f3a".into(),
        ip_address: Some("192.0.2.10".into()),
        client_initiated_disconnect: None,
        disconnect_reason: None,
        version_number: 3,
    };
    let went = came.clone().disconnected_because(DisconnectReason::ConnectionLost);
    let mut table = String::new();
    for event in [came, went] {
        let json = event.to_json();
        assert_eq!(PresencePayload::parse_payload(&json), Ok(event.clone()));
        table += &event.topic().format(&Default::default());
        table += " ";
        table += core::str::from_utf8(&json).unwrap();
        table += "\n";
    }
    expect![[r#"
        $aws/events/presence/connected/clock-01 {"clientId":"clock-01","timestamp":1795430400123,"eventType":"connected","sessionIdentifier":"0b7c","principalIdentifier":"9f3a","ipAddress":"192.0.2.10","versionNumber":3}
        $aws/events/presence/disconnected/clock-01 {"clientId":"clock-01","timestamp":1795430400123,"eventType":"disconnected","sessionIdentifier":"0b7c","principalIdentifier":"9f3a","clientInitiatedDisconnect":false,"disconnectReason":"CONNECTION_LOST","versionNumber":3}
    "#]].assert_eq(&table);
}

#[test]
fn refusals_and_subscriptions_are_aws_iots() {
    let refused = ConnectFailedPayload {
        client_id: "clock-01".into(),
        timestamp: 1_795_430_400_123,
        session_identifier: "0b7c".into(),
        principal_identifier: "9f3a".into(),
        ip_address: Some("192.0.2.10".into()),
        connect_failure_reason: ConnectFailure::AuthorizationFailed,
    };
    let subscribed = SubscriptionPayload {
        client_id: "clock-01".into(),
        timestamp: 1_795_430_400_123,
        event_type: SubscriptionEvent::Subscribed,
        session_identifier: "0b7c".into(),
        principal_identifier: "9f3a".into(),
        topics: vec!["$aws/things/clock-01/shadow/get/+".into()],
    };
    let table = [(refused.topic(), refused.to_json()), (subscribed.topic(), subscribed.to_json())]
        .map(|(topic, json)| {
            let json = core::str::from_utf8(&json).unwrap();
            format!("{} {json}\n", topic.format(&Default::default()))
        });
    expect![[r#"
        $aws/events/presence/connect_failed/clock-01 {"eventType":"connect_failed","clientId":"clock-01","timestamp":1795430400123,"sessionIdentifier":"0b7c","principalIdentifier":"9f3a","ipAddress":"192.0.2.10","connectFailureReason":"AUTHORIZATION_FAILED"}
        $aws/events/subscriptions/subscribed/clock-01 {"clientId":"clock-01","timestamp":1795430400123,"eventType":"subscribed","sessionIdentifier":"0b7c","principalIdentifier":"9f3a","topics":["$aws/things/clock-01/shadow/get/+"]}
    "#]].assert_eq(&table.concat());
}

#[test]
fn padding_is_only_taken_from_the_end() {
    assert_eq!(without_padding(b" {}\0 \r\n\t\0"), b" {}");
    assert_eq!(without_padding(b"\0\0"), b"");
}
