//! The key of the server's own authority is not on the server: a command signs with it.

use otaru_test_app::each_database;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

const AUTHORITIES: &str = "/api/v1/server-authorities";
const OPENSSL: [&str; 4] = ["openssl", "dgst", "-sha256", "-sign"];

fn request(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

each_database! {
    async fn everything_is_signed_by_a_command_and_nothing_while_it_fails(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let before = app.provision("clock-01", "clock").await;
        app.take_key_outside(&OPENSSL);
        app.restart().await;

        // Who was there before is in, and so is whom the command signs for.
        before.connect().await.report(json!({ "on": true })).await;
        app.provision("clock-02", "clock").await.connect().await.report(json!({ "on": true })).await;
        let wanted = json!({
            "thing": "clock-03", "product": "clock", "expires_at": "2026-11-30T12:00:00Z",
        });
        let token = app.admin().post("/api/v1/enrolment-tokens", wanted).await;
        let token = token.expect_status(201).json();
        let key = KeyPair::generate().unwrap();
        let enrols = json!({ "token": token["token"], "certificate_request": request(&key) });
        let answer = app.stranger().post("/enrolment", enrols.clone()).await.expect_status(201).json();
        let enrolled = app.device_of(&json!({
            "device": { "thing": "clock-03" }, "cert_pem": answer["cert_pem"],
            "ca_pem": answer["ca_pem"], "key_pem": key.serialize_pem(),
        }));
        enrolled.connect().await.report(json!({ "on": true })).await;
        let renews = json!({ "certificate_request": request(&KeyPair::generate().unwrap()) });
        enrolled.https.post("/enrolment/renewal", renews.clone()).await.expect_status(201);
        let template = json!({
            "name": "clocks", "product": "clock", "thing_name": "clock-{SerialNumber}",
        });
        app.admin().post("/api/v1/provisioning/templates", template).await.expect_status(201);
        let claims = "/api/v1/provisioning/templates/clocks/claim-certificates";
        app.admin().post(claims, json!({})).await.expect_status(201);
        let rotated = app.admin().post(AUTHORITIES, json!({})).await;
        assert_eq!(rotated.refusal(), "409 server_authority_outside");

        app.take_key_outside(&["false"]);
        app.restart().await;

        before.connect().await.report(json!({ "on": false })).await;
        let wanted = json!({ "thing": "clock-04", "product": "clock" });
        let unavailable = "503 authority_unavailable";
        assert_eq!(app.admin().post("/api/v1/devices", wanted).await.refusal(), unavailable);
        assert_eq!(enrolled.https.post("/enrolment/renewal", renews).await.refusal(), unavailable);
        assert_eq!(app.admin().post(claims, json!({})).await.refusal(), unavailable);
        assert_eq!(app.stranger().post("/enrolment", enrols).await.refusal(), unavailable);
        let shown = app.admin().get("/api/v1/devices/clock-04").await;
        assert_eq!(shown.refusal(), "404 device_unknown");
    }
}
