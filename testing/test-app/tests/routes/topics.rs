//! Publish, by everybody who may.

use otaru_test_app::{Answer, Client, TestApp, each_database};
use serde_json::json;

const UPDATE: &str = "%24aws%2Fthings%2Fclock-01%2Fshadow%2Fupdate";
const WISH: &str = r#"{"state":{"desired":{"on":true}},"clientToken":"t-1"}"#;

fn refusal(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!(body["traceId"], answer.header("x-amzn-requestid"));
    let kind = answer.header("x-amzn-errortype");
    format!("{} {kind} {}", answer.status(), body["message"].as_str().unwrap())
}

const FORBIDDEN: &str = "403 ForbiddenException Forbidden";

async fn key(app: &TestApp, wanted: serde_json::Value) -> Client {
    let key = app.access_key(wanted).await;
    app.anonymous().with_access_key(key)
}

async fn publish(client: &Client, topic: &str, payload: &str) -> Answer {
    client.post_text(&format!("/topics/{topic}"), payload).await
}

each_database! {
    async fn a_shadow_request_is_carried_out_and_answered_over_mqtt(app: TestApp) {
        let operator = key(&app, json!({ "role": "operator" })).await;
        let mut watcher = app.backend("watcher").await;
        watcher.watch("clock-01").await;
        let taken = publish(&operator, &format!("{UPDATE}?qos=1"), WISH).await.expect_status(200);
        let body = taken.json();
        assert_eq!(body, json!({ "message": "OK", "traceId": taken.header("x-amzn-requestid") }));
        let accepted = watcher.hear("update/accepted").await;
        assert_eq!((&accepted["version"], &accepted["clientToken"]), (&json!(1), &json!("t-1")));
        // The request is an ordinary message, too.
        assert_eq!(watcher.hear("update").await["clientToken"], "t-1");
        publish(&operator, UPDATE, r#"{"clientToken":"t-2"}"#).await.expect_status(200);
        let rejected = watcher.hear("update/rejected").await;
        assert_eq!((&rejected["code"], &rejected["clientToken"]), (&json!(400), &json!("t-2")));
        let get = UPDATE.replace("update", "get");
        publish(&operator, &get, r#"{"clientToken":"t-3"}"#).await.expect_status(200);
        assert_eq!(watcher.hear("get/accepted").await["clientToken"], "t-3");
        let delete = UPDATE.replace("update", "delete");
        publish(&operator, &delete, "").await.expect_status(200);
        assert_eq!(watcher.hear("delete/accepted").await["version"], 1);
    }

    async fn any_other_topic_reaches_its_subscribers(app: TestApp) {
        let operator = key(&app, json!({ "role": "operator" })).await;
        let mut watcher = app.backend("watcher").await;
        watcher.subscribe("alerts/#").await;
        for (encoded, topic) in [
            ("alerts%2Fkitchen?qos=1", "alerts/kitchen"),
            ("alerts/kitchen/oven", "alerts/kitchen/oven"),
            ("alerts%2Fa%20b-c", "alerts/a b-c"),
            ("alerts%2F%C3%A9", "alerts/é"),
            ("alerts%2F%2Ftwo", "alerts//two"),
        ] {
            publish(&operator, encoded, r#"{"hot":true}"#).await.expect_status(200);
            assert_eq!(watcher.hear_on(topic).await, json!({ "hot": true }), "{topic}");
        }
    }

    async fn a_device_hears_what_its_fleet_says_to_it(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.provision("clock-01", "clock").await;
        let mut session = device.connect_silently().await;
        session.subscribe("mia/things/clock-01/#").await;
        let foreign = app.foreign_admin().await;
        let answer = publish(&foreign, "mia%2Fthings%2Fclock-01%2Fcommands", "{}").await;
        assert_eq!(refusal(&answer), FORBIDDEN);
        let own = key(&app, json!({ "role": "operator", "things": ["clock-01"] })).await;
        let command = r#"{"beep":1}"#;
        publish(&own, "mia%2Fthings%2Fclock-01%2Fcommands", command).await.expect_status(200);
        let heard = session.hear_on("mia/things/clock-01/commands").await;
        assert_eq!(heard, json!({ "beep": 1 }));
        assert_eq!(session.unasked(), [] as [&str; 0]);
    }

    async fn a_device_publishes_on_its_own_topics_alone(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        publish(&device, UPDATE, r#"{"state":{"reported":{"on":false}}}"#).await.expect_status(200);
        let record = r#"{"timestamp":1795435200000,"level":"INFO","message":"over HTTP"}"#;
        publish(&device, "mia%2Fthings%2Fclock-01%2Flogs?qos=1", record).await.expect_status(200);
        let logs = app.admin().get("/api/v1/devices/clock-01/logs").await.json();
        assert_eq!(logs["items"][0]["record"]["message"], "over HTTP", "{logs}");
        for topic in [
            UPDATE.replace("01", "02").as_str(),
            "mia%2Fthings%2Fclock-02%2Flogs",
            "mia%2Fthings%2Fclock-01%2Fcommands",
            "alerts%2Fkitchen",
        ] {
            assert_eq!(refusal(&publish(&device, topic, "{}").await), FORBIDDEN, "{topic}");
        }
    }

    async fn what_only_the_service_says_nobody_publishes(app: TestApp) {
        let admin = key(&app, json!({ "role": "admin" })).await;
        for topic in [
            format!("{UPDATE}%2Faccepted"),
            format!("{UPDATE}%2Fdelta"),
            UPDATE.replace("update", "get%2Frejected"),
            UPDATE.replace("update", "other"),
            "%24aws%2Fevents%2Fpresence%2Fconnected%2Fclock-01".to_owned(),
            "%24SYS%2Fbrokers".to_owned(),
            "%24share%2Fgroup%2Falerts".to_owned(),
            format!("{UPDATE}?retain=true"),
        ] {
            assert_eq!(refusal(&publish(&admin, &topic, "{}").await), FORBIDDEN, "{topic}");
        }
    }

    async fn a_request_that_is_none_is_invalid(app: TestApp) {
        let admin = key(&app, json!({ "role": "admin" })).await;
        for (topic, message) in [
            ("alerts%2F%23", "Invalid topic"),
            ("alerts%2F%2B", "Invalid topic"),
            ("alerts%00", "Invalid topic"),
            ("alerts%2F%01%24x", "Invalid topic"),
            ("alerts%FF", "Invalid topic"),
            ("alerts?qos=2", "qos must be 0 or 1"),
            ("alerts?retain=true", "Retained messages are not kept"),
        ] {
            let answer = publish(&admin, topic, "{}").await;
            assert_eq!(refusal(&answer), format!("400 InvalidRequestException {message}"), "{topic}");
        }
        for topic in ["alerts?qos=x", "alerts?retain=maybe"] {
            let answer = publish(&admin, topic, "{}").await;
            assert_eq!(answer.header("x-amzn-errortype"), "InvalidRequestException", "{topic}");
        }
        let answer = admin.get("/topics/alerts").await;
        assert_eq!(answer.header("x-amzn-errortype"), "MethodNotAllowedException");
        publish(&admin, "alerts", &"x".repeat(128 * 1024)).await.expect_status(200);
        let answer = publish(&admin, "alerts", &"x".repeat(128 * 1024 + 1)).await;
        assert_eq!(answer.header("x-amzn-errortype"), "RequestEntityTooLargeException");
    }

    async fn publishing_needs_what_writing_needs(app: TestApp) {
        let viewer = key(&app, json!({ "role": "viewer" })).await;
        let publisher = key(&app, json!({ "role": "publisher" })).await;
        let limited = key(&app, json!({ "role": "operator", "things": ["clock-02"] })).await;
        let foreign = app.foreign_admin().await;
        app.admin().post_text("/things/clock-01/shadow", WISH).await.expect_status(200);
        for (client, topic) in [
            (&viewer, UPDATE),
            (&viewer, "alerts"),
            (&publisher, UPDATE),
            (&limited, UPDATE),
            (&limited, "alerts"),
            (&foreign, UPDATE),
            // Programs that would hear it are of the organisation `default`.
            (&foreign, "alerts"),
        ] {
            assert_eq!(refusal(&publish(client, topic, WISH).await), FORBIDDEN, "{topic}");
        }
        let got = app.admin().get("/things/clock-01/shadow").await.json();
        assert_eq!(got["version"], 1);
        publish(&limited, &UPDATE.replace("01", "02"), WISH).await.expect_status(200);
        publish(&app.operator().await, UPDATE, WISH).await.expect_status(200);
        assert_eq!(publish(&app.anonymous(), UPDATE, WISH).await.status(), 401);
    }
}
