//! What a device writes about itself.

use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::home::{Home, progress};

const TOPIC: &str = "mia/things/clock-01/logs";
const LOGS: &str = "/api/v1/devices/clock-01/logs";

fn record(message: &str) -> Value {
    json!({
        "timestamp": 1_795_435_199_000_i64,
        "level": "ERROR",
        "message": message,
        "code": "IO_FAILED",
        "thingName": "clock-01",
        "freeHeap": 41_000,
        "usedBytes": 7,
        "rssi": -71,
    })
}

async fn stored(home: &Home, query: &str) -> Value {
    home.app.operator().await.get(&format!("{LOGS}{query}")).await.expect_status(200).json()
}

fn messages(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|log| log["record"]["message"].as_str().expect("a message")).collect()
}

each_database! {
    async fn a_record_is_durable_when_it_is_acknowledged(app: TestApp) {
        let home = Home::new(app).await;
        let device = home.device.connect_silently().await;
        for message in ["no route", "no address"] {
            assert!(device.publish(TOPIC, record(message).to_string()).await);
            let page = stored(&home, "").await;
            let last = page["items"].as_array().unwrap().last().unwrap();
            assert_eq!(last["record"], record(message));
            assert_eq!(last["received_at"], "2026-11-23T12:00:00.000Z");
        }
        let shown = home.app.admin().get("/api/v1/devices/clock-01").await.json();
        assert_eq!(shown["last_seen_at"], "2026-11-23T12:00:00.000Z");
    }

    async fn an_array_is_its_records(app: TestApp) {
        let home = Home::new(app).await;
        let device = home.device.connect_silently().await;
        let many: Vec<Value> = (0..5).map(|n| record(&n.to_string())).collect();
        assert!(device.publish(TOPIC, json!(many).to_string()).await);
        assert!(device.publish(TOPIC, "[]").await);
        let first = stored(&home, "?limit=3").await;
        assert_eq!(messages(&first), ["0", "1", "2"]);
        let cursor = first["next_cursor"].as_str().expect("another page");
        let rest = stored(&home, &format!("?limit=3&cursor={cursor}")).await;
        assert_eq!((messages(&rest), &rest["next_cursor"]), (vec!["3", "4"], &Value::Null));
    }

    async fn what_nobody_can_read_is_kept_as_a_warning(app: TestApp) {
        let home = Home::new(app).await;
        let device = home.device.connect_silently().await;
        let half = json!([record("good"), { "level": "LOUD" }]).to_string();
        let long = format!("[{}]", "7,".repeat(3_000));
        for payload in ["", "{", "\u{0}\u{1}", "17", &half, &long] {
            assert!(device.publish(TOPIC, payload).await);
        }
        assert!(device.publish(TOPIC, vec![0xff, 0xfe, 0x00]).await);
        let page = stored(&home, "").await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 7);
        for item in items {
            let record = &item["record"];
            assert_eq!((&record["level"], &record["code"]), (&json!("WARN"), &json!("LOG_UNREADABLE")));
            assert!(record["payload"].as_str().unwrap().chars().count() <= 1_024);
        }
        assert_eq!(items[4]["record"]["payload"], half);
        // The device goes on.
        assert!(device.publish(TOPIC, record("next").to_string()).await);
        assert_eq!(*messages(&stored(&home, "").await).last().unwrap(), "next");
    }

    async fn logs_of_nobody_hurt_nobody(app: TestApp) {
        let home = Home::new(app).await;
        let backend = home.app.backend("backend-1").await;
        for thing in ["ghost-01", "clock-01"] {
            let topic = format!("mia/things/{thing}/logs");
            assert!(backend.publish(&topic, record(thing).to_string()).await);
            let message = progress("testing", 1);
            let topic = format!("mia/things/{thing}/update/progress");
            assert!(backend.publish(&topic, message.to_string()).await);
        }
        assert_eq!(messages(&stored(&home, "").await), ["clock-01"]);
    }
}
