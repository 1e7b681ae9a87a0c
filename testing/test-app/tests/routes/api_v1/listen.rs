use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn an_operator_hears_the_whole_fleet(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let operator = app.operator().await;
        let mut events = operator.listen("/api/v1/listen").await;

        operator
            .post("/api/v1/devices/clock-01/update", json!({ "version": "1.0.5" }))
            .await
            .expect_status(201);

        let event = events.next().await;
        assert_eq!((event.kind.as_str(), &event.body["thing"]), ("update_changed", &json!("clock-01")));
    }

    async fn a_stream_that_breaks_before_its_first_event_loses_nothing(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let operator = app.operator().await;
        let mut events = operator.listen("/api/v1/listen").await;
        let place = events.place().await;
        drop(events);

        let wish = json!({ "version": "1.0.5" });
        operator.post("/api/v1/devices/clock-01/update", wish).await.expect_status(201);

        let again = operator.with_header("last-event-id", &place);
        let event = again.listen("/api/v1/listen").await.next().await;
        assert_eq!((event.kind.as_str(), &event.body["thing"]), ("update_changed", &json!("clock-01")));
    }
}
