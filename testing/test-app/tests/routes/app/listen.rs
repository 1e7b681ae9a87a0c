use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn an_owner_hears_of_their_devices_and_resumes_without_loss(app: TestApp) {
        app.create_product("clock", "device").await;
        for (thing, email) in [("clock-01", "ada@example.org"), ("clock-02", "bo@example.org")] {
            app.add_device(thing, "clock").await;
            let owner = app.owner(email).await;
            app.claim(&owner, thing).await;
        }
        let login = json!({ "user": "ada@example.org" });
        let token = app.admin().post("/api/v1/tokens", login).await.json()["token"].clone();
        let ada = app.bearer(token.as_str().unwrap());
        let mut events = ada.listen("/app/listen").await;

        app.publish("clock", "1.0.5", 1).await;
        let available = events.next().await;
        assert_eq!(available.kind, "firmware_available");
        assert_eq!((&available.body["thing"], &available.body["version"]), (&json!("clock-01"), &json!("1.0.5")));
        drop(events);

        let install = json!({ "version": "1.0.5" });
        ada.post("/app/devices/clock-01/update", install).await.expect_status(201);
        let seen = available.id.expect("an entry of the log");
        let mut resumed = ada.clone().with_header("last-event-id", &seen).listen("/app/listen").await;
        let changed = resumed.next().await;
        assert_eq!(changed.kind, "update_changed");
        assert!(changed.id.expect("an entry of the log").parse::<i64>().unwrap() > seen.parse().unwrap());
    }

    async fn a_token_of_nobody_hears_nothing_here(app: TestApp) {
        assert_eq!(app.admin().get("/app/listen").await.refusal(), "403 user_required");
    }
}
