use otaru_wire::Reason;
use otaru_wire::payload::LogLevel;
use serde_json::json;

use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_the_broker_over_a_restart() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    std::fs::remove_file(device.file("ca.pem")).unwrap();
    device.start();
    rig.log_in_flash(&mut device, Reason::TlsRootMissing).await;
    device.cut_power().await;
    std::fs::write(device.file("ca.pem"), rig.authority.ca_pem()).unwrap();
    device.start();
    let record = rig.logged(&mut device, Reason::TlsRootMissing).await;
    assert_eq!(record.level, LogLevel::Warn);
    assert_eq!(record.thing_name.as_deref(), Some("clock-01"));
    assert!(record.used_bytes.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivered_record_is_not_sent_again() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    rig.logged_text(&mut device, "update to 1.0.5: confirmed").await;
    // A round trip behind the records: by then the device has their acknowledgement too.
    rig.service.desire(&device.thing, json!({"config": {"volume": 3}})).await;
    rig.reported(&mut device, "volume", &json!(3)).await;
    let count = rig.logs(&device).len();
    device.cut_power().await;
    rig.service.heard.lock().unwrap().shadows.clear();
    device.start();
    rig.online(&mut device).await;
    assert_eq!(rig.logs(&device).len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_report_is_sent_until_it_is_taken() {
    let rig = Rig::start().await;
    rig.service.heard.lock().unwrap().refusals = 3;
    let mut device = rig.device("clock-01");
    device.start();
    assert_eq!(rig.online(&mut device).await.version, "1.0.4");
    assert_eq!(rig.service.heard.lock().unwrap().refusals, 0);
}
