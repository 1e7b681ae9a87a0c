use otaru_test_app::{Client, TestApp, each_database};
use serde_json::{Value, json};

const CLOCK: &str = "/app/devices/clock-01";
const SHARE: &str = "/app/devices/clock-01/share";
const PEOPLE: &str = "/app/devices/clock-01/people";

/// Ada owns `clock-01`, which runs 1.0.4; 1.0.5 is published; Bo has nothing.
async fn home(app: &TestApp) -> (Client, Client, Client) {
    app.create_product("clock", "device").await;
    app.publish("clock", "1.0.4", 1).await;
    app.publish("clock", "1.0.5", 2).await;
    let device = app.add_device("clock-01", "clock").await;
    let report = json!({ "state": { "reported": { "config": { "firmware_version": "1.0.4" } } } });
    device.post("/things/clock-01/shadow", report).await.expect_status(200);
    let (ada, bo) = (app.owner("ada@example.org").await, app.owner("bo@example.org").await);
    app.claim(&ada, "clock-01").await;
    (ada, bo, device)
}

async fn share(ada: &Client, with: &Client) {
    let code = ada.post(SHARE, json!({})).await.expect_status(201).json();
    let joined = with.post("/app/devices/claim", json!({ "code": code["code"] })).await;
    assert_eq!(joined.expect_status(200).json()["access"], "shared");
}

async fn emails(who: &Client) -> Vec<String> {
    let people = who.get(PEOPLE).await.expect_status(200).json();
    let email = |person: &Value| person["email"].as_str().unwrap().to_owned();
    people["items"].as_array().unwrap().iter().map(email).collect()
}

each_database! {
    async fn a_shared_device_is_used_by_both_and_given_away_by_one(app: TestApp) {
        let (ada, bo, _device) = home(&app).await;
        share(&ada, &bo).await;
        assert_eq!(emails(&bo).await, ["ada@example.org", "bo@example.org"]);
        assert_eq!(ada.get(CLOCK).await.json()["access"], "owner");
        bo.put(CLOCK, json!({ "name": "Hall" })).await.expect_status(200);
        bo.post("/app/devices/clock-01/update", json!({ "version": "1.0.5" })).await.expect_status(201);
        assert_eq!(ada.get(CLOCK).await.json()["name"], "Hall");
        assert_eq!(ada.get("/app/devices/clock-01/update").await.json()["version"], "1.0.5");

        let bo_id = bo.get("/app/user").await.json()["id"].clone();
        let remove = format!("{PEOPLE}/{}", bo_id.as_str().unwrap());
        assert_eq!(bo.post(SHARE, json!({})).await.refusal(), "403 not_the_owner");
        assert_eq!(bo.delete(&remove).await.refusal(), "403 not_the_owner");
        ada.delete(&remove).await.expect_status(204);
        assert_eq!(bo.get(CLOCK).await.refusal(), "404 device_unknown");
        assert_eq!(ada.delete(&remove).await.refusal(), "404 user_unknown");
    }

    async fn a_share_code_works_once_and_for_a_day(app: TestApp) {
        let (ada, bo, _device) = home(&app).await;
        let cy = app.owner("cy@example.org").await;
        let code = ada.post(SHARE, json!({})).await.expect_status(201).json();
        let enter = |code: &Value| json!({ "code": code["code"] });
        assert!(code["url"].as_str().unwrap().ends_with(&format!("/claim#{}", code["code"].as_str().unwrap())));
        assert_eq!(ada.post("/app/devices/claim", enter(&code)).await.refusal(), "409 device_claimed");
        bo.post("/app/devices/claim", enter(&code)).await.expect_status(200);
        assert_eq!(cy.post("/app/devices/claim", enter(&code)).await.refusal(), "404 claim_code_unknown");
        let late = ada.post(SHARE, json!({})).await.expect_status(201).json();
        app.advance(std::time::Duration::from_secs(24 * 60 * 60));
        assert_eq!(cy.post("/app/devices/claim", enter(&late)).await.refusal(), "404 claim_code_unknown");
    }

    async fn who_leaves_leaves_the_others_alone(app: TestApp) {
        let (ada, bo, _device) = home(&app).await;
        share(&ada, &bo).await;
        bo.delete(CLOCK).await.expect_status(204);
        assert_eq!(bo.get(CLOCK).await.refusal(), "404 device_unknown");
        assert_eq!(emails(&ada).await, ["ada@example.org"]);
    }

    async fn a_new_owner_sees_nothing_of_the_old_one(app: TestApp) {
        let (ada, bo, _device) = home(&app).await;
        let cy = app.owner("cy@example.org").await;
        share(&ada, &cy).await;
        ada.put(CLOCK, json!({ "name": "Bedroom", "time_zone": "Asia/Tokyo", "install": "ask" })).await.expect_status(200);
        ada.post("/app/devices/clock-01/update", json!({ "version": "1.0.5", "when": "tonight" })).await.expect_status(201);
        ada.delete(CLOCK).await.expect_status(204);
        for gone in [&ada, &cy] {
            assert_eq!(gone.get(CLOCK).await.refusal(), "404 device_unknown");
        }

        app.advance(std::time::Duration::from_secs(60));
        app.claim(&bo, "clock-01").await;

        let own = bo.get(CLOCK).await.expect_status(200).json();
        assert_eq!((&own["name"], &own["time_zone"], &own["update"]), (&Value::Null, &Value::Null, &Value::Null));
        assert_eq!(bo.get("/app/devices/clock-01/update").await.refusal(), "404 update_unknown");
        let history = bo.get("/app/devices/clock-01/updates").await.expect_status(200).json();
        assert_eq!(history["items"], json!([]));
        // What the old owner had put off does not begin at the new one's.
        let all = app.admin().get("/api/v1/updates").await.json();
        assert_eq!(all["items"][0]["outcome"], "cancelled");
    }

    async fn both_hear_what_happens_and_nobody_else(app: TestApp) {
        let (ada, bo, _device) = home(&app).await;
        let cy = app.owner("cy@example.org").await;
        share(&ada, &bo).await;
        let mut heard = Vec::new();
        for person in [&ada, &bo, &cy] {
            heard.push(person.listen("/app/listen").await);
        }
        bo.post("/app/devices/clock-01/update", json!({ "version": "1.0.5" })).await.expect_status(201);
        for events in &mut heard[..2] {
            assert_eq!(events.next().await.kind, "update_changed");
        }
        // The first that Cy hears is of a device of their own.
        app.add_device("clock-02", "clock").await;
        app.claim(&cy, "clock-02").await;
        assert_eq!(heard[2].next().await.body["thing"], "clock-02");
    }

    async fn somebody_who_goes_leaves_every_device(app: TestApp) {
        let (ada, bo, _device) = home(&app).await;
        share(&ada, &bo).await;
        let id = |who: Value| who["id"].as_str().unwrap().to_owned();
        let (ada_id, bo_id) = (id(ada.get("/app/user").await.json()), id(bo.get("/app/user").await.json()));
        app.admin().delete(&format!("/api/v1/users/{bo_id}")).await.expect_status(204);
        assert_eq!(emails(&ada).await, ["ada@example.org"]);
        app.admin().delete(&format!("/api/v1/users/{ada_id}")).await.expect_status(204);
        assert_eq!(app.admin().get("/api/v1/devices/clock-01").await.json()["owner"], Value::Null);
    }
}
