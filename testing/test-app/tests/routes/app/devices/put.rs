use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/app/devices/clock-01";

each_database! {
    async fn a_name_and_a_time_zone_are_kept_each_alone(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        owner.put(PATH, json!({ "name": "Kitchen" })).await.expect_status(200);
        let set = owner.put(PATH, json!({ "time_zone": "Asia/Tokyo" })).await.expect_status(200).json();
        assert_eq!((&set["name"], &set["time_zone"]), (&json!("Kitchen"), &json!("Asia/Tokyo")));

        let nowhere = owner.put(PATH, json!({ "time_zone": "Moon/Tranquility" })).await;
        assert_eq!(nowhere.refusal(), "400 invalid_field");
        assert_eq!(owner.get(PATH).await.json(), set);
    }
}
