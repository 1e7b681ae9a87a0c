use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn a_device_gets_all_it_is_provisioned_with(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = json!({ "thing": "clock-01", "product": "clock" });
        let added = app.operator().await.post("/api/v1/devices", device).await;
        let added = added.expect_status(201).json();
        for (file, begins) in [
            ("cert_pem", "-----BEGIN CERTIFICATE-----"),
            ("key_pem", "-----BEGIN PRIVATE KEY-----"),
            ("ca_pem", "-----BEGIN CERTIFICATE-----"),
        ] {
            assert!(added[file].as_str().unwrap().starts_with(begins), "{file}");
        }
        assert!(!added["root_pub"].as_str().unwrap().is_empty());
        let toml = added["device_toml"].as_str().unwrap();
        assert!(toml.contains("thing = \"clock-01\""), "{toml}");
        assert!(toml.contains("device_url = \"https://devices.otaru.example\""), "{toml}");
        assert_eq!(added["device"]["online"], false);
    }

    async fn a_thing_name_is_taken_once_and_fits_a_certificate(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let admin = app.admin();
        let again = json!({ "thing": "clock-01", "product": "clock" });
        assert_eq!(admin.post("/api/v1/devices", again).await.refusal(), "409 thing_name_taken");
        let long = json!({ "thing": "c".repeat(65), "product": "clock" });
        assert_eq!(admin.post("/api/v1/devices", long).await.refusal(), "400 thing_name_too_long");
        let wrong = json!({ "thing": "clock 01", "product": "clock" });
        assert_eq!(admin.post("/api/v1/devices", wrong).await.refusal(), "400 invalid_body");
        let lamp = json!({ "thing": "lamp-01", "product": "lamp" });
        assert_eq!(admin.post("/api/v1/devices", lamp).await.refusal(), "404 product_unknown");
        let publisher = app.publisher().await;
        let other = json!({ "thing": "clock-02", "product": "clock" });
        assert_eq!(publisher.post("/api/v1/devices", other).await.refusal(), "403 forbidden");
    }

    async fn a_revoked_device_is_nobody(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let report = json!({ "state": { "reported": { "config": {} } } });
        device.post("/things/clock-01/shadow", report.clone()).await.expect_status(200);

        let revoked = app.operator().await.post("/api/v1/devices/clock-01/revoke", json!({})).await;

        revoked.expect_status(204);
        assert_eq!(device.post("/things/clock-01/shadow", report).await.status(), 401);
    }
}
