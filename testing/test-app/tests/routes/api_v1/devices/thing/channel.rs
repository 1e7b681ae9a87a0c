use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/api/v1/devices/clock-01/channel";

each_database! {
    async fn a_device_is_offered_the_newest_of_its_channel(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let upload = async |version: &str, sequence: u64, channel: &str| {
            let firmware = app.firmware("clock", version, sequence);
            let form = [&firmware.form()[..], &[("channel", channel.as_bytes())]].concat();
            app.admin().upload("/api/v1/products/clock/releases", &form).await.expect_status(201);
            firmware
        };
        upload("1.0.5", 1, "stable").await;
        let beta = upload("1.1.0", 2, "beta").await;
        let available = async || {
            let own = owner.get("/app/devices/clock-01").await.json();
            own["available"]["version"].as_str().unwrap_or("nothing").to_owned()
        };
        assert_eq!(available().await, "1.0.5");

        let set = app.operator().await.put(PATH, json!({ "channel": "beta" })).await;
        assert_eq!(set.expect_status(200).json()["channel"], "beta");
        assert_eq!(available().await, "1.1.0");
        let report = json!({ "state": { "reported": { "firmware": {
            "sha256": beta.sha256().to_string(), "version": "1.1.0", "slot": "ota_0",
            "state": "confirmed" } } } });
        app.admin().post("/things/clock-01/shadow", report).await.expect_status(200);
        assert_eq!(available().await, "nothing");

        // Nobody goes back: what runs is newer than what is stable.
        app.admin().put(PATH, json!({ "channel": "stable" })).await.expect_status(200);
        assert_eq!(available().await, "nothing");
        upload("1.1.1", 3, "stable").await;
        assert_eq!(available().await, "1.1.1");
        let wrong = app.admin().put(PATH, json!({ "channel": "Not a channel" })).await;
        assert_eq!(wrong.refusal(), "400 invalid_field");
    }
}
