use otaru_test_app::{Client, TestApp, each_database};
use serde_json::json;

const PATH: &str = "/app/devices/clock-01/update";

/// An owner whose clock runs 1.0.4; 1.0.5 is published.
async fn owner_of_a_clock(app: &TestApp) -> (Client, Client) {
    app.create_product("clock", "device").await;
    app.publish("clock", "1.0.4", 1).await;
    app.publish("clock", "1.0.5", 2).await;
    let device = app.add_device("clock-01", "clock").await;
    let owner = app.owner("ada@example.org").await;
    app.claim(&owner, "clock-01").await;
    let report = json!({ "state": { "reported": { "config": { "firmware_version": "1.0.4" } } } });
    device.post("/things/clock-01/shadow", report).await.expect_status(200);
    (owner, device)
}

each_database! {
    async fn install_is_one_record_and_one_wish(app: TestApp) {
        let (owner, device) = owner_of_a_clock(&app).await;
        let first = owner.post(PATH, json!({ "version": "1.0.5" })).await.expect_status(201).json();
        assert_eq!((&first["from"], &first["version"]), (&json!("1.0.4"), &json!("1.0.5")));
        let again = owner.post(PATH, json!({ "version": "1.0.5" })).await.expect_status(200).json();
        assert_eq!(again["id"], first["id"]);
        let shadow = device.get("/things/clock-01/shadow").await.json();
        assert_eq!(shadow["state"]["desired"]["config"]["firmware_version"], "1.0.5");
        assert_eq!(owner.get("/app/user").await.json()["firmware_version"], "1.0.5");
    }

    async fn a_newer_release_supersedes_the_open_update(app: TestApp) {
        let (owner, _device) = owner_of_a_clock(&app).await;
        let old = owner.post(PATH, json!({ "version": "1.0.5" })).await.expect_status(201).json();
        app.publish("clock", "1.0.6", 3).await;
        owner.post(PATH, json!({ "version": "1.0.6" })).await.expect_status(201);
        let old = format!("/api/v1/updates/{}", old["id"].as_str().unwrap());
        assert_eq!(app.admin().get(&old).await.json()["outcome"], "superseded");
    }

    async fn later_waits_a_day_or_until_now_is_said(app: TestApp) {
        let (owner, device) = owner_of_a_clock(&app).await;
        let later = json!({ "version": "1.0.5", "when": "later" });
        let later = owner.post(PATH, later).await.expect_status(201).json();
        assert_eq!((&later["phase"], &later["until"]), (&json!("deferred"), &json!("2026-11-24T12:00:00.000Z")));
        let shadow = device.get("/things/clock-01/shadow").await.json();
        assert_eq!(shadow["state"].get("desired"), None);

        let now = owner.post(PATH, json!({ "version": "1.0.5", "when": "now" })).await;
        assert_eq!(now.expect_status(200).json()["phase"], "requested");
    }

    async fn tonight_is_two_o_clock_where_the_device_is(app: TestApp) {
        let (owner, _device) = owner_of_a_clock(&app).await;
        owner.put("/app/devices/clock-01", json!({ "time_zone": "Asia/Tokyo" })).await.expect_status(200);
        let tonight = json!({ "version": "1.0.5", "when": "tonight" });
        let tonight = owner.post(PATH, tonight).await.expect_status(201).json();
        // 02:00 in Tokyo is 17:00 UTC.
        assert_eq!(tonight["until"], "2026-11-23T17:00:00.000Z");
    }

    async fn what_is_put_off_can_be_put_off_to_another_time(app: TestApp) {
        let (owner, _device) = owner_of_a_clock(&app).await;
        let mut events = owner.listen("/app/listen").await;
        let ask = |when: &str| owner.post(PATH, json!({ "version": "1.0.5", "when": when }));
        let first = ask("tonight").await.expect_status(201).json();
        assert_eq!(first["until"], "2026-11-24T02:00:00.000Z");
        let later = ask("later").await.expect_status(200).json();
        assert_eq!((&later["id"], &later["until"]), (&first["id"], &json!("2026-11-24T12:00:00.000Z")));
        for until in [&first["until"], &later["until"]] {
            assert_eq!(events.next().await.body["until"], *until);
        }
    }

    async fn what_cannot_be_installed_changes_nothing(app: TestApp) {
        let (owner, device) = owner_of_a_clock(&app).await;
        let before = device.get("/things/clock-01/shadow").await.json()["version"].clone();
        let install = async |body: serde_json::Value| owner.post(PATH, body).await.refusal();
        assert_eq!(install(json!({ "version": "9.9.9" })).await, "404 release_unknown");
        assert_eq!(install(json!({ "version": "1.0.4" })).await, "409 release_older");
        assert_eq!(install(json!({ "version": "../etc" })).await, "400 invalid_body");
        assert_eq!(install(json!({ "version": "1.0.5", "when": "never" })).await, "400 invalid_body");
        assert_eq!(owner.post_text(PATH, "{").await.refusal(), "400 invalid_json");
        app.admin().post("/api/v1/products/clock/releases/1.0.5/yank", json!({})).await;
        assert_eq!(install(json!({ "version": "1.0.5" })).await, "409 release_yanked");
        let stranger = app.owner("bo@example.org").await;
        let theirs = stranger.post(PATH, json!({ "version": "1.0.5" })).await;
        assert_eq!(theirs.refusal(), "404 device_unknown");

        assert_eq!(owner.get(PATH).await.refusal(), "404 update_unknown");
        assert_eq!(device.get("/things/clock-01/shadow").await.json()["version"], before);
    }

    async fn an_update_nobody_was_told_of_is_cancelled_at_once(app: TestApp) {
        let (owner, device) = owner_of_a_clock(&app).await;
        owner.post(PATH, json!({ "version": "1.0.5" })).await.expect_status(201);
        let cancelled = owner.delete(PATH).await.expect_status(200).json();
        assert_eq!(cancelled["outcome"], "cancelled");
        let shadow = device.get("/things/clock-01/shadow").await.json();
        assert_eq!(shadow["state"]["desired"]["config"]["firmware_version"], "1.0.4");
        assert_eq!(owner.get("/app/user").await.json()["firmware_version"], "1.0.4");
        assert_eq!(owner.delete(PATH).await.refusal(), "409 update_ended");
    }
}
