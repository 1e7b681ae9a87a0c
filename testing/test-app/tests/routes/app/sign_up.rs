use otaru_test_app::{PASSWORD, TestApp, each_database};
use serde_json::{Value, json};

async fn code_of(app: &TestApp, thing: &str) -> Value {
    let path = format!("/api/v1/devices/{thing}/claim-code");
    app.admin().post(&path, json!({})).await.expect_status(201).json()["code"].clone()
}

each_database! {
    async fn a_new_owner_comes_with_their_device(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("clock-01", "clock").await;
        let code = code_of(&app, "clock-01").await;
        let wanted = json!({ "email": "Ada@x.org", "password": PASSWORD, "code": code });

        let made = app.anonymous().post("/app/sign-up", wanted).await.expect_status(201);

        assert_eq!(made.json()["user"]["email"], "ada@x.org");
        assert_eq!(made.json()["user"]["role"], "owner");
        assert_eq!(made.json()["device"]["thing"], "clock-01");
        let browser = app.anonymous().signed_in(&made);
        let own = browser.get("/app/devices").await.json();
        assert_eq!(own["items"][0]["owner"], made.json()["user"]["id"]);
        let update = browser.get("/app/devices/clock-01/update").await;
        assert_eq!(update.refusal(), "404 update_unknown", "signing up never installs");
    }

    async fn a_device_of_another_organisation_makes_an_owner_there(app: TestApp) {
        let foreign = app.foreign_admin().await;
        let product = json!({ "name": "lamp", "chip": "esp32c3", "flash_bytes": 4 << 20,
            "root": app.keys().root_base64(), "download": "device" });
        foreign.post("/api/v1/products", product).await.expect_status(201);
        let device = json!({ "thing": "lamp-01", "product": "lamp" });
        foreign.post("/api/v1/devices", device).await.expect_status(201);
        let code = foreign.post("/api/v1/devices/lamp-01/claim-code", json!({})).await.json();
        let wanted = json!({ "email": "ada@x.org", "password": PASSWORD, "code": code["code"] });
        let made = app.anonymous().post("/app/sign-up", wanted).await.expect_status(201).json();
        assert_eq!(made["user"]["organisation"], "elsewhere");
    }

    async fn nothing_is_made_when_anything_is_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        app.owner("bo@x.org").await;
        let code = code_of(&app, "clock-01").await;
        let sign_up = async |email: &str, password: &str, code: &Value| {
            let wanted = json!({ "email": email, "password": password, "code": code });
            app.anonymous().post("/app/sign-up", wanted).await
        };
        let wrong = json!("AAAA-AAAA-AAAA");
        // Without a device nobody learns which addresses are known.
        for email in ["ada@x.org", "bo@x.org", "ada"] {
            assert_eq!(sign_up(email, "x", &wrong).await.refusal(), "404 claim_code_unknown");
        }
        assert_eq!(sign_up("ada", PASSWORD, &code).await.refusal(), "400 invalid_field");
        assert_eq!(sign_up("ada@x.org", "x", &code).await.refusal(), "400 password_weak");
        assert_eq!(sign_up("bo@x.org", PASSWORD, &code).await.refusal(), "409 email_taken");
        sign_up("ada@x.org", PASSWORD, &code).await.expect_status(201);
        assert_eq!(sign_up("cleo@x.org", PASSWORD, &code).await.refusal(), "404 claim_code_unknown");
        let second = code_of(&app, "clock-01").await;
        assert_eq!(sign_up("cleo@x.org", PASSWORD, &second).await.refusal(), "409 device_claimed");
        let people = app.admin().get("/api/v1/users").await.json();
        assert_eq!(people["items"].as_array().unwrap().len(), 2);
    }

    async fn guessing_codes_is_stopped(app: TestApp) {
        let wrong = json!({ "email": "ada@x.org", "password": PASSWORD, "code": "AAAA-AAAA-AAAA" });
        for _ in 0..20 {
            app.anonymous().post("/app/sign-up", wrong.clone()).await.expect_status(404);
        }
        let answer = app.anonymous().post("/app/sign-up", wrong).await;
        assert_eq!(answer.refusal(), "429 too_many_attempts");
    }
}
