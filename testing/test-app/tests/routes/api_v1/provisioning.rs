//! Templates and claim certificates; what devices do with them is in `lifecycle/provisioning.rs`.

use otaru_test_app::each_database;
use serde_json::{Value, json};

const TEMPLATES: &str = "/api/v1/provisioning/templates";

fn clocks() -> Value {
    json!({ "name": "clocks", "product": "clock", "thing_name": "clock-{SerialNumber}" })
}

each_database! {
    async fn a_template_is_added_shown_and_removed(app: TestApp) {
        app.create_product("clock", "device").await;
        let operator = app.operator().await;
        let mut wanted = clocks();
        wanted["serial_numbers"] = json!(["A1", "A2", "A2"]);
        let made = operator.post(TEMPLATES, wanted).await.expect_status(201).json();
        assert_eq!((&made["devices"], &made["serial_numbers"]), (&json!(0), &json!(2)));
        assert_eq!((&made["per_minute"], &made["approve"]), (&json!(60), &json!(false)));
        let path = format!("{TEMPLATES}/clocks");
        assert_eq!(operator.get(&path).await.json(), made);
        assert_eq!(operator.get(TEMPLATES).await.json()["items"], json!([made]));

        let claims = format!("{path}/claim-certificates");
        let claim = operator.post(&claims, json!({})).await.expect_status(201).json();
        assert_eq!(claim["expires_at"], "2027-11-23T12:00:00.000Z");
        let listed = operator.get(&claims).await.json();
        assert_eq!(listed["items"][0]["serial"], claim["serial"]);
        assert_eq!(listed["items"][0]["key_pem"], Value::Null);

        operator.delete(&path).await.expect_status(204);
        assert_eq!(operator.get(&path).await.refusal(), "404 template_unknown");
        assert_eq!(operator.delete(&path).await.refusal(), "404 template_unknown");
        assert_eq!(operator.get(&claims).await.refusal(), "404 template_unknown");
    }

    async fn a_template_has_a_hundred_thousand_serial_numbers(app: TestApp) {
        app.create_product("clock", "device").await;
        let operator = app.operator().await;
        let serials: Vec<String> = (0..100_000).map(|number| format!("{number:064}")).collect();
        let mut wanted = clocks();
        wanted["serial_numbers"] = json!(serials);
        let made = operator.post(TEMPLATES, wanted.clone()).await.expect_status(201).json();
        assert_eq!(made["serial_numbers"], 100_000);
        wanted["name"] = json!("more");
        wanted["serial_numbers"].as_array_mut().unwrap().push(json!("one-more"));
        assert_eq!(operator.post(TEMPLATES, wanted).await.refusal(), "400 invalid_field");
    }

    async fn templates_that_say_nothing_are_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        let operator = app.operator().await;
        operator.post(TEMPLATES, clocks()).await.expect_status(201);
        assert_eq!(operator.post(TEMPLATES, clocks()).await.refusal(), "409 template_taken");
        for (member, value, refusal) in [
            ("name", json!("a b"), "400 invalid_body"),
            ("product", json!("lamp"), "404 product_unknown"),
            ("thing_name", json!("clock"), "400 invalid_field"),
            ("thing_name", json!("clock/{SerialNumber}"), "400 invalid_field"),
            ("thing_name", json!("{Line}-{SerialNumber}"), "400 invalid_field"),
            ("device_limit", json!(0), "400 invalid_field"),
            ("per_minute", json!(0), "400 invalid_field"),
            ("expires_at", json!("2026-11-22T00:00:00Z"), "400 invalid_field"),
            ("serial_numbers", json!(["../a"]), "400 invalid_field"),
        ] {
            let mut wanted = clocks();
            wanted["name"] = json!("others");
            wanted[member] = value;
            assert_eq!(operator.post(TEMPLATES, wanted).await.refusal(), refusal, "{member}");
        }
        let mut wanted = clocks();
        wanted["name"] = json!("others");
        wanted["thing_name"] = json!("clock-{Mac}");
        wanted["serial_numbers"] = json!(["a"]);
        assert_eq!(operator.post(TEMPLATES, wanted).await.refusal(), "400 invalid_field");
    }

    async fn a_claim_certificate_ends_with_its_template(app: TestApp) {
        app.create_product("clock", "device").await;
        let operator = app.operator().await;
        let mut wanted = clocks();
        wanted["expires_at"] = json!("2026-11-23T13:00:00Z");
        operator.post(TEMPLATES, wanted).await.expect_status(201);
        let claims = format!("{TEMPLATES}/clocks/claim-certificates");
        let claim = operator.post(&claims, json!({ "expires_at": "2027-01-01T00:00:00Z" })).await;
        let claim = claim.expect_status(201).json();
        assert_eq!(claim["expires_at"], "2026-11-23T13:00:00.000Z");

        let serial = claim["serial"].as_str().unwrap();
        let path = |serial: &str| format!("/api/v1/provisioning/claim-certificates/{serial}/revoke");
        let refused = operator.post(&path("clocks"), json!({})).await;
        assert_eq!(refused.refusal(), "400 invalid_field");
        // As openssl prints it.
        let upper = path(&serial.to_uppercase());
        operator.post(&upper, json!({})).await.expect_status(204);
        let revoke = path(serial);
        let again = operator.post(&revoke, json!({})).await;
        assert_eq!(again.refusal(), "404 claim_certificate_unknown");

        app.advance(std::time::Duration::from_secs(3_600));
        assert_eq!(operator.post(&claims, json!({})).await.refusal(), "409 template_expired");
    }

    async fn nobody_is_approved_who_does_not_wait(app: TestApp) {
        let operator = app.operator().await;
        assert_eq!(operator.get("/api/v1/provisioning/queue").await.json()["items"], json!([]));
        for decision in ["approve", "reject"] {
            let path = format!("/api/v1/provisioning/queue/nobody/{decision}");
            let refused = operator.post(&path, json!({})).await;
            assert_eq!(refused.refusal(), "404 provisioning_unknown");
        }
        let allow = "/api/v1/devices/clock-01/reprovisioning";
        assert_eq!(operator.post(allow, json!({})).await.refusal(), "404 device_unknown");
    }
}
