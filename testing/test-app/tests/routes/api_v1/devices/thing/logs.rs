use otaru_operations::store_logs;
use otaru_store::Scope;
use otaru_test_app::{TestApp, each_database};
use otaru_wire::ThingName;
use serde_json::Value;

const PATH: &str = "/api/v1/devices/clock-01/logs";

/// What the broker does with a message on the log topic.
async fn device_logs(app: &TestApp, messages: &[&str]) {
    let scope = Scope::of(app.operations.default_organisation().clone());
    let thing = ThingName::new("clock-01").unwrap();
    for message in messages {
        let record = format!(r#"{{"timestamp":1,"level":"INFO","message":"{message}","extra":7}}"#);
        store_logs(&app.operations, &scope, &thing, record.as_bytes()).await.unwrap();
    }
}

fn messages(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|log| log["record"]["message"].as_str().expect("a message")).collect()
}

each_database! {
    async fn a_log_is_followed_from_its_newest_records(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        device_logs(&app, &["one", "two", "three"]).await;
        let operator = app.operator().await;

        let tail = operator.get(&format!("{PATH}?tail=2")).await.expect_status(200).json();
        assert_eq!(messages(&tail), ["two", "three"]);
        assert_eq!(tail["items"][0]["record"]["extra"], 7);

        let last = &tail["items"][1]["id"];
        device_logs(&app, &["four"]).await;
        let more = operator.get(&format!("{PATH}?after={last}")).await.expect_status(200).json();
        assert_eq!(messages(&more), ["four"]);
        let none = operator.get(&format!("{PATH}?tail=0")).await.expect_status(200).json();
        assert_eq!(messages(&none), [""; 0]);
    }

    async fn a_log_is_read_in_pages(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        device_logs(&app, &["one", "two", "three"]).await;
        let admin = app.admin();
        let first = admin.get(&format!("{PATH}?limit=2")).await.json();
        let cursor = first["next_cursor"].as_str().expect("another page");
        let second = admin.get(&format!("{PATH}?limit=2&cursor={cursor}")).await.json();
        assert_eq!((messages(&first), messages(&second)), (vec!["one", "two"], vec!["three"]));
    }

    async fn logs_of_an_unknown_device_are_404(app: TestApp) {
        assert_eq!(app.admin().get(PATH).await.refusal(), "404 device_unknown");
    }
}
