use expect_test::expect;
use otaru_test_app::{Answer, each_database};
use serde_json::json;

const PATH: &str = "/things/clock-01/shadow";

/// Status, exception and body, with the request's id blotted out.
fn refusal(answer: &Answer) -> String {
    let mut body = answer.json();
    assert_eq!(body["traceId"], answer.header("x-amzn-requestid"));
    body["traceId"] = "ID".into();
    format!("{} {} {body}", answer.status(), answer.header("x-amzn-errortype"))
}

each_database! {
    async fn a_shadow_is_written_read_and_deleted(app: TestApp) {
        let admin = app.admin();
        let update = json!({ "state": { "desired": { "on": true } }, "clientToken": "t-1" });
        let updated = admin.post(PATH, update).await.expect_status(200);
        assert_eq!(updated.header("content-type"), "application/json");
        assert_eq!(updated.header("x-amzn-requestid").len(), 36);
        expect![[r#"
            200 OK
            {"state":{"desired":{"on":true}},"metadata":{"desired":{"on":{"timestamp":1795435200}}},"version":1,"timestamp":1795435200,"clientToken":"t-1"}"#]].assert_eq(&updated.to_string());
        let got = admin.get(PATH).await.expect_status(200).json();
        assert_eq!(got["state"], json!({ "desired": { "on": true }, "delta": { "on": true } }));
        let deleted = admin.delete(PATH).await.expect_status(200).json();
        assert_eq!(deleted, json!({ "version": 1, "timestamp": 1_795_435_200 }));
        expect![[r#"404 ResourceNotFoundException {"message":"No shadow exists with name: 'clock-01'","traceId":"ID"}"#]].assert_eq(&refusal(&admin.get(PATH).await));
    }

    async fn a_named_shadow_is_another_document(app: TestApp) {
        let admin = app.admin();
        let named = format!("{PATH}?name=cfg");
        let update = json!({ "state": { "reported": { "on": true } } });
        admin.post(&named, update).await.expect_status(200);
        assert_eq!(admin.get(PATH).await.status(), 404);
        admin.delete(&named).await.expect_status(200);
        let gone = admin.get(&named).await;
        assert_eq!(gone.json()["message"], "No shadow exists with name: 'clock-01~cfg'");
        // Clients percent-encode the colon of a thing name.
        let update = json!({ "state": { "reported": {} } });
        admin.post("/things/clock%3A01/shadow", update).await.expect_status(200);
        admin.get("/things/clock:01/shadow").await.expect_status(200);
    }

    async fn bad_input_has_aws_s_words_and_shape(app: TestApp) {
        let admin = app.admin();
        let long = "x".repeat(9_000);
        let answers = [
            admin.post_text(PATH, "{").await,
            admin.post(PATH, json!({})).await,
            admin.post(PATH, json!({ "state": { "desired": { "x": long } } })).await,
            admin.post(PATH, json!({ "state": { "desired": { "x": "y".repeat(300_000) } } })).await,
            admin.post(PATH, json!({ "state": {}, "version": 7 })).await,
            admin.get(&format!("{PATH}?name=")).await,
            admin.get("/things/clock%2001/shadow").await,
            admin.put(PATH, json!({})).await,
            app.anonymous().get(PATH).await,
        ];
        let table: String = answers.iter().map(|answer| refusal(answer) + "\n").collect();
        expect![[r#"
            400 InvalidRequestException {"message":"Invalid JSON","traceId":"ID"}
            400 InvalidRequestException {"message":"Missing required node: state","traceId":"ID"}
            413 RequestEntityTooLargeException {"message":"The payload exceeds the maximum size allowed","traceId":"ID"}
            413 RequestEntityTooLargeException {"message":"The payload exceeds the maximum size allowed","traceId":"ID"}
            409 ConflictException {"message":"Version conflict","traceId":"ID"}
            400 InvalidRequestException {"message":"shadow name must be 1 to 64 of [$a-zA-Z0-9:_-], found \"\"","traceId":"ID"}
            400 InvalidRequestException {"message":"thing name must be 1 to 128 of [a-zA-Z0-9:_-], found \"clock 01\"","traceId":"ID"}
            405 MethodNotAllowedException {"message":"Method Not Allowed","traceId":"ID"}
            401 UnauthorizedException {"message":"Unauthorized","traceId":"ID"}
        "#]].assert_eq(&table);
        assert_eq!(admin.put(PATH, json!({})).await.header("allow"), "GET,HEAD,POST,DELETE");
    }

    async fn a_device_touches_its_own_shadows_only(app: TestApp) {
        app.create_product("clock", "device").await;
        let first = app.add_device("clock-01", "clock").await;
        let second = app.add_device("clock-02", "clock").await;
        let update = json!({ "state": { "reported": { "on": true } } });
        first.post(PATH, update.clone()).await.expect_status(200);
        assert_eq!(second.get(PATH).await.header("x-amzn-errortype"), "ForbiddenException");
        assert_eq!(second.post(PATH, update).await.status(), 403);
        assert_eq!(app.stranger().get(PATH).await.header("x-amzn-errortype"), "UnauthorizedException");
    }

    async fn who_reads_the_fleet_does_not_write_it(app: TestApp) {
        let made = app.admin().post("/api/v1/tokens", json!({ "role": "viewer" })).await.json();
        let viewer = app.bearer(made["token"].as_str().unwrap());
        let update = json!({ "state": { "desired": {} } });
        assert_eq!(viewer.post(PATH, update.clone()).await.status(), 403);
        app.operator().await.post(PATH, update).await.expect_status(200);
        assert_eq!(viewer.get(PATH).await.status(), 200);
    }
}
