use std::time::Duration;

use expect_test::expect;
use otaru_operations::{CertificateEnds, warn_of_certificate_ends};
use otaru_test_app::each_database;
use serde_json::json;

const DAY: Duration = Duration::from_secs(24 * 3_600);

each_database! {
    async fn a_device_shows_what_it_reported(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.4", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        let silent = app.admin().get("/api/v1/devices/clock-01").await.expect_status(200);
        expect![[r#"
            200 OK
            {"thing":"clock-01","product":"clock","channel":"stable","online":false,"last_seen_at":null,"owner":null,"running":null,"certificate":{"not_after":"2051-11-17T12:00:00.000Z"},"decommissioned_at":null,"replaced_by":null}"#]]
        .assert_eq(&silent.to_string());

        let report = json!({ "state": { "reported": { "config": { "firmware_version": "1.0.4" } } } });
        device.post("/things/clock-01/shadow", report).await.expect_status(200);

        let shown = app.admin().get("/api/v1/devices/clock-01").await.json();
        assert_eq!(shown["running"]["version"], "1.0.4");
    }

    async fn an_unknown_device_is_404(app: TestApp) {
        let answer = app.admin().get("/api/v1/devices/clock-01").await;
        assert_eq!(answer.refusal(), "404 device_unknown");
    }

    async fn devices_are_listed_by_name(app: TestApp) {
        app.create_product("clock", "device").await;
        for thing in ["clock-02", "clock-01"] {
            app.add_device(thing, "clock").await;
        }
        let page = app.operator().await.get("/api/v1/devices?limit=1").await.json();
        assert_eq!(page["items"][0]["thing"], "clock-01");
        assert_eq!(page["next_cursor"], "clock-01");
    }

    async fn devices_are_looked_for_part_by_part(app: TestApp) {
        app.create_product("clock", "device").await;
        app.create_product("lamp", "device").await;
        for number in 1..=5 {
            app.add_device(&format!("clock-0{number}"), "clock").await;
        }
        app.add_device("lamp-01", "lamp").await;
        let device = app.provision("clock-06", "clock").await;
        let mut session = device.connect().await;
        session.report(json!({ "config": { "firmware_version": "1.0.4" } })).await;

        let operator = app.operator().await;
        let found = async |query: &str| {
            let (mut things, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/v1/devices?limit=2&{query}{cursor}");
                let page = operator.get(&path).await.expect_status(200).json();
                let items = page["items"].as_array().unwrap().iter();
                things.extend(items.map(|item| item["thing"].as_str().unwrap().to_owned()));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return things.join(" "),
                }
            }
        };
        assert_eq!(found("text=CK-0").await, "clock-01 clock-02 clock-03 clock-04 clock-05 clock-06");
        assert_eq!(found("text=01").await, "clock-01 lamp-01");
        assert_eq!(found("text=01&product=lamp").await, "lamp-01");
        assert_eq!(found("online=true").await, "clock-06");
        assert_eq!(found("online=false&product=clock").await, "clock-01 clock-02 clock-03 clock-04 clock-05");
        assert_eq!(found("version=1.0.4").await, "clock-06");
        assert_eq!(found("version=1.0.4&online=false").await, "");
        assert_eq!(found("text=%25").await, "");
        let long = format!("text={}", "x".repeat(129));
        for (query, refusal) in [
            ("online=perhaps", "400 invalid_query"),
            ("product=No+Name", "400 invalid_query"),
            (long.as_str(), "400 invalid_field"),
            ("text=%00", "400 invalid_text"),
            ("certificate_ends_within_days=-1", "400 invalid_query"),
        ] {
            let answer = operator.get(&format!("/api/v1/devices?{query}")).await;
            assert_eq!(answer.refusal(), refusal, "{query}");
        }
    }

    async fn devices_are_found_by_the_end_of_their_certificate(app: TestApp) {
        app.create_product("clock", "device").await;
        for thing in ["clock-01", "clock-02", "clock-03"] {
            app.add_device(thing, "clock").await;
            app.advance(DAY);
        }
        let operator = app.operator().await;
        let path = "/api/v1/devices?certificate_ends_within_days=";
        let found = async |query: &str| {
            let page = operator.get(&format!("{path}{query}")).await.expect_status(200).json();
            let things = page["items"].as_array().unwrap().iter();
            things.map(|item| item["thing"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        // Each has a certificate of 25 years, made a day after the one before.
        let nothing = CertificateEnds::default();
        assert_eq!(warn_of_certificate_ends(&app.operations).await.unwrap(), nothing);
        assert_eq!(found("9122").await, "clock-01");
        app.advance((25 * 365 - 32) * DAY);
        assert_eq!(found("30").await, "clock-01 clock-02");
        assert_eq!(found("30&text=02").await, "clock-02");
        app.operator().await.post("/api/v1/devices/clock-02/revoke", json!({})).await.expect_status(204);
        assert_eq!(found("30").await, "clock-01");
        let soon = CertificateEnds { soon: 1, ended: 0 };
        assert_eq!(warn_of_certificate_ends(&app.operations).await.unwrap(), soon);
        app.advance(30 * DAY);
        assert_eq!(found("0").await, "clock-01");
        let ended = CertificateEnds { soon: 1, ended: 1 };
        assert_eq!(warn_of_certificate_ends(&app.operations).await.unwrap(), ended);
    }
}
