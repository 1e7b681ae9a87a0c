//! What cannot be done changes nothing at all.

use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::home::{Home, UPDATE};

each_database! {
    async fn a_refused_install_changes_nothing(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.app.publish("clock", "1.0.6", 3).await;
        home.app.admin().post("/api/v1/products/clock/releases/1.0.6/yank", json!({})).await;
        home.app.create_product("lamp", "device").await;
        home.app.publish("lamp", "2.0.0", 1).await;
        home.app.provision("clock-02", "clock").await;
        let bo = home.app.owner("bo@example.org").await;
        home.app.claim(&bo, "clock-02").await;
        agent.heard_until_now("update/accepted").await;
        let before = home.everything().await;

        let (owner, operator) = (&home.owner, &home.app.operator().await);
        let theirs = "/api/v1/devices/clock-01/update";
        let mut table = Vec::new();
        for (who, path) in [(owner, UPDATE), (operator, theirs)] {
            for body in [
                json!({ "version": "9.9.9" }),
                json!({ "version": "2.0.0" }),
                json!({ "version": "1.0.6" }),
                json!({ "version": "1.0.4" }),
                json!({ "version": "../etc" }),
                json!({ "version": 105 }),
                json!({ "version": "1.0.5", "when": "never" }),
                json!({ "version": "1.0.5", "until": 7 }),
                json!({}),
                json!([]),
            ] {
                table.push(who.post(path, body).await.refusal());
            }
            for text in ["", "{", "\u{0}", r#"{"version":"1.0.5"}{"#] {
                table.push(who.post_text(path, text).await.refusal());
            }
        }
        let expected = [
            "404 release_unknown",
            "404 release_unknown",
            "409 release_yanked",
            "409 release_older",
            "400 invalid_body",
            "400 invalid_body",
            "400 invalid_body",
            "400 invalid_body",
            "400 invalid_body",
            "400 invalid_body",
            "400 invalid_json",
            "400 invalid_json",
            "400 invalid_json",
            "400 invalid_json",
        ];
        assert_eq!(table, [expected, expected].concat());

        let body = json!({ "version": "1.0.5" });
        let somebody_else_s = "/app/devices/clock-02/update";
        for (path, code) in [
            (somebody_else_s, "404 device_unknown"),
            ("/app/devices/clock-09/update", "404 device_unknown"),
            ("/app/devices/clock%2009/update", "400 invalid_path"),
        ] {
            assert_eq!(owner.post(path, body.clone()).await.refusal(), code);
        }
        assert_eq!(owner.delete(somebody_else_s).await.refusal(), "404 device_unknown");
        assert_eq!(bo.post(UPDATE, body.clone()).await.refusal(), "404 device_unknown");
        assert_eq!(owner.post(theirs, body.clone()).await.refusal(), "403 forbidden");
        let viewer = home.app.admin().post("/api/v1/tokens", json!({ "role": "viewer" })).await.json();
        let viewer = home.app.bearer(viewer["token"].as_str().unwrap());
        assert_eq!(viewer.post(theirs, body.clone()).await.refusal(), "403 forbidden");
        assert_eq!(home.app.anonymous().post(UPDATE, body).await.refusal(), "401 unauthenticated");
        assert_eq!(owner.delete(UPDATE).await.refusal(), "404 update_unknown");

        assert_eq!(home.everything().await, before);
        assert_eq!(agent.heard_until_now("update/accepted").await, Vec::<Value>::new());
    }

    async fn a_refused_row_changes_nothing(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        let before = home.everything().await;
        let mut table = Vec::new();
        for body in [
            json!({ "firmware_version": "9.9.9", "phrase_type": "haiku" }),
            json!({ "firmware_version": "1.0.4", "phrase_type": "haiku" }),
            json!({ "firmware_version": "", "phrase_type": "haiku" }),
        ] {
            table.push(home.owner.put("/app/user", body).await.refusal());
        }
        assert_eq!(table, ["404 release_unknown", "409 release_older", "400 invalid_body"]);
        assert_eq!(home.everything().await, before);
    }

    async fn who_has_several_devices_must_say_which(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        home.app.provision("clock-02", "clock").await;
        home.app.claim(&home.owner, "clock-02").await;
        let before = home.everything().await;
        let body = json!({ "firmware_version": "1.0.5", "phrase_type": "haiku" });
        assert_eq!(home.owner.put("/app/user", body).await.refusal(), "409 device_required");
        assert_eq!(home.everything().await, before);
    }

    async fn a_second_tap_is_the_same_update(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        home.install("1.0.5").await;
        let before = home.everything().await;
        let again = home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert_eq!(again.expect_status(200).json(), home.update().await);
        let row = json!({ "firmware_version": "1.0.5" });
        home.owner.put("/app/user", row).await.expect_status(200);
        assert_eq!(home.everything().await, before);
    }
}
