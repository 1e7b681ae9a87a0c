use otaru_test_app::each_database;
use serde_json::json;

use crate::api_v1::authorities::Desk;

const REVOKE: &str = "/api/v1/devices/clock-01/revoke";
const CERTIFICATES: &str = "/api/v1/devices/clock-01/certificates";
const SHADOW: &str = "/things/clock-01/shadow";

each_database! {
    async fn one_certificate_is_revoked_by_its_serial_number(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.provision("clock-01", "clock").await;
        let (desk, admin) = (Desk::new("Acme"), app.admin());
        desk.register(&admin).await;
        let other = json!({ "certificate": desk.device("clock-01", 7).cert_pem });
        admin.post(CERTIFICATES, other).await.expect_status(201);
        let mut session = device.connect().await;

        let revoke = |query: String| format!("{REVOKE}?{query}");
        let unknown = admin.post(&revoke("serial=8".into()), json!({})).await;
        assert_eq!(unknown.refusal(), "404 certificate_unknown");
        let of_ours = revoke(format!("serial=7&issuer={}", device.peer.issuer));
        assert_eq!(admin.post(&of_ours, json!({})).await.refusal(), "404 certificate_unknown");
        let theirs = revoke(format!("serial=00:07&issuer={}", desk.fingerprint));
        admin.post(&theirs, json!({})).await.expect_status(204);
        session.report(json!({ "on": true })).await;

        let ours = revoke(format!("serial={}", device.serial));
        let operator = app.operator().await;
        operator.post(&ours, json!({})).await.expect_status(204);

        session.closed().await;
        let report = json!({ "state": { "reported": { "on": false } } });
        assert_eq!(device.https.post(SHADOW, report).await.status(), 401);
        let shown = admin.get(CERTIFICATES).await.expect_status(200).json();
        assert!(shown["items"].as_array().unwrap().iter().all(|one| one["revoked_at"].is_string()));
        assert_eq!(app.publisher().await.post(&ours, json!({})).await.refusal(), "403 forbidden");
    }

    async fn a_serial_number_is_read_however_openssl_prints_it(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.provision("clock-01", "clock").await;
        let (serial, operator) = (&device.serial, app.operator().await);
        let pairs: Vec<_> = serial.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        let forms =
            [serial.to_uppercase(), format!("00{serial}"), format!("0x{serial}"), pairs.join(":")];
        for form in forms {
            let revoke = format!("{REVOKE}?serial={form}");
            operator.post(&revoke, json!({})).await.expect_status(204);
        }
        for none in ["", "0x", ":", "clock-01", "7g"] {
            let refused = operator.post(&format!("{REVOKE}?serial={none}"), json!({})).await;
            assert_eq!(refused.refusal(), "400 invalid_field", "{none}");
        }
    }
}
