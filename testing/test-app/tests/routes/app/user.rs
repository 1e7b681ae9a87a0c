use expect_test::expect;
use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn a_person_is_shown_to_themselves(app: TestApp) {
        let mut user = app.owner("ada@example.org").await.get("/app/user").await.json();
        user["id"] = "ID".into();
        expect![[r#"{"email":"ada@example.org","firmware_version":null,"id":"ID","language":null,"organisation":"default","phrase_type":null,"role":"owner"}"#]]
            .assert_eq(&user.to_string());
        assert_eq!(app.admin().get("/app/user").await.refusal(), "403 user_required");
    }

    async fn with_no_device_only_the_row_changes(app: TestApp) {
        let owner = app.owner("ada@example.org").await;
        let wish = json!({ "firmware_version": "1.0.5", "phrase_type": "poetic" });
        let user = owner.put("/app/user", wish).await.expect_status(200).json();
        assert_eq!((&user["firmware_version"], &user["phrase_type"]), (&json!("1.0.5"), &json!("poetic")));
    }

    async fn with_one_device_it_installs_now(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;

        let wish = json!({ "firmware_version": "1.0.5", "phrase_type": "poetic" });
        let user = owner.put("/app/user", wish).await.expect_status(200).json();

        assert_eq!(user["firmware_version"], "1.0.5");
        let shadow = device.get("/things/clock-01/shadow").await.expect_status(200).json();
        let desired = &shadow["state"]["desired"]["config"];
        assert_eq!(*desired, json!({ "firmware_version": "1.0.5", "phrase_type": "poetic" }));
        let update = owner.get("/app/devices/clock-01/update").await.json();
        assert_eq!(update["phase"], "requested");
    }

    async fn an_unknown_version_changes_no_row_no_shadow_no_record(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let before = owner.get("/app/user").await.json();

        let wish = json!({ "firmware_version": "9.9.9", "phrase_type": "poetic" });
        assert_eq!(owner.put("/app/user", wish).await.refusal(), "404 release_unknown");

        assert_eq!(owner.get("/app/user").await.json(), before);
        assert_eq!(device.get("/things/clock-01/shadow").await.status(), 404);
        let update = owner.get("/app/devices/clock-01/update").await;
        assert_eq!(update.refusal(), "404 update_unknown");
    }

    async fn with_several_devices_it_must_say_which(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        let owner = app.owner("ada@example.org").await;
        for thing in ["clock-01", "clock-02"] {
            app.add_device(thing, "clock").await;
            app.claim(&owner, thing).await;
        }
        let answer = owner.put("/app/user", json!({ "firmware_version": "1.0.5" })).await;
        assert_eq!(answer.refusal(), "409 device_required");
    }
}
