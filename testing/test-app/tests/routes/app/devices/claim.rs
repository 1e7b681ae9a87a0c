use otaru_test_app::each_database;
use serde_json::json;

const CODE: &str = "/api/v1/devices/clock-01/claim-code";

each_database! {
    async fn a_code_makes_one_person_the_owner_once(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let (ada, bo) = (app.owner("ada@example.org").await, app.owner("bo@example.org").await);
        let code = app.operator().await.post(CODE, json!({})).await.expect_status(201).json();
        let typed = code["code"].as_str().unwrap().to_lowercase().replace('-', " ");

        let claimed = ada.post("/app/devices/claim", json!({ "code": typed })).await;

        assert_eq!(claimed.expect_status(200).json()["thing"], "clock-01");
        let again = bo.post("/app/devices/claim", json!({ "code": code["code"] })).await;
        assert_eq!(again.refusal(), "404 claim_code_unknown");
        let update = ada.get("/app/devices/clock-01/update").await;
        assert_eq!(update.refusal(), "404 update_unknown", "claiming never installs");
    }

    async fn a_claimed_device_is_not_claimed_by_a_new_code(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let (ada, bo) = (app.owner("ada@example.org").await, app.owner("bo@example.org").await);
        app.claim(&ada, "clock-01").await;
        let code = app.admin().post(CODE, json!({})).await.expect_status(201).json();
        let claim = bo.post("/app/devices/claim", json!({ "code": code["code"] })).await;
        assert_eq!(claim.refusal(), "409 device_claimed");
    }

    async fn guessing_is_stopped_and_being_right_is_not(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let right = app.operator().await.post(CODE, json!({})).await.expect_status(201).json();
        let owner = app.owner("ada@example.org").await;
        let wrong = json!({ "code": "AAAA-AAAA-AAAA" });
        for _ in 0..10 {
            let answer = owner.post("/app/devices/claim", wrong.clone()).await;
            assert_eq!(answer.refusal(), "404 claim_code_unknown");
        }
        let answer = owner.post("/app/devices/claim", wrong.clone()).await;
        assert_eq!(answer.refusal(), "429 too_many_attempts");
        let right = json!({ "code": right["code"] });
        owner.post("/app/devices/claim", right).await.expect_status(200);
        // Nothing is forgiven for it: it was not counted.
        let answer = owner.post("/app/devices/claim", wrong).await;
        assert_eq!(answer.refusal(), "429 too_many_attempts");
    }

    async fn an_owner_makes_no_codes(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        let answer = owner.post(CODE, json!({})).await;
        assert!([403, 404].contains(&answer.status()), "{answer}");
    }
}
