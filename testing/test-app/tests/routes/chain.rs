use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    /// A client that knows only the shadow and the image's address, from publish to confirmed.
    async fn a_plain_client_completes_the_chain(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.4", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let reported = |version: &str| {
            json!({ "state": { "reported": { "config": { "firmware_version": version } } } })
        };
        let shadow = "/things/clock-01/shadow";
        device.post(shadow, reported("1.0.4")).await.expect_status(200);
        let mut events = owner.listen("/app/listen").await;

        let firmware = app.publish("clock", "1.0.5", 2).await;
        assert_eq!(events.next().await.kind, "firmware_available");

        let update = "/app/devices/clock-01/update";
        owner.post(update, json!({ "version": "1.0.5" })).await.expect_status(201);
        let delta = device.get(shadow).await.json()["state"]["delta"].clone();
        assert_eq!(delta, json!({ "config": { "firmware_version": "1.0.5" } }));

        let image = device.get("/firmware/clock/1.0.5.bin").await.expect_status(200);
        assert_eq!(image.body(), firmware.image);
        assert_eq!(owner.get(update).await.json()["phase"], "downloading");

        device.post(shadow, reported("1.0.5")).await.expect_status(200);
        let done = owner.get(update).await.json();
        assert_eq!((&done["phase"], &done["outcome"]), (&json!("confirmed"), &json!("confirmed")));
        let mut kinds = Vec::new();
        while kinds.last().is_none_or(|kind| kind != "update_finished") {
            kinds.push(events.next().await.kind);
        }
        assert_eq!(kinds[0], "update_changed");
        let shadow = device.get(shadow).await.json();
        assert_eq!(shadow["state"].get("delta"), None);
    }
}
