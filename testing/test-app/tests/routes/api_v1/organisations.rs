use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/api/v1/organisations";

each_database! {
    async fn its_first_administrator_sees_their_own_organisation_only(app: TestApp) {
        app.create_product("clock", "device").await;
        let wanted = json!({ "name": "Clockworks 時計", "email": "ada@x.org" });
        let made = app.admin().post(PATH, wanted).await.expect_status(201).json();
        assert_eq!(made["name"], "Clockworks 時計");
        assert_eq!(made["expires_at"], "2026-11-30T12:00:00.000Z");

        let ada = app.accept(&made["url"]).await;

        let user = ada.get("/app/user").await.json();
        assert_eq!((&user["organisation"], &user["role"]), (&made["name"], &json!("admin")));
        assert_eq!(ada.get("/api/v1/products").await.json()["items"], json!([]));
        assert_eq!(ada.get("/api/v1/products/clock").await.refusal(), "404 product_unknown");
        let names = |answer: serde_json::Value| -> Vec<String> {
            let items = answer["items"].as_array().unwrap().clone();
            items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(ada.get(PATH).await.json()), ["Clockworks 時計"]);
        assert_eq!(names(app.admin().get(PATH).await.json()), ["Clockworks 時計", "default"]);
        assert_eq!(names(app.operator().await.get(PATH).await.json()), ["default"]);
    }

    async fn only_administrators_of_default_make_them(app: TestApp) {
        let foreign = app.foreign_admin().await;
        let wanted = json!({ "name": "third", "email": "cleo@x.org" });
        for client in [foreign, app.operator().await] {
            assert_eq!(client.post(PATH, wanted.clone()).await.refusal(), "403 forbidden");
        }
        assert_eq!(app.owner("ada@x.org").await.get(PATH).await.refusal(), "403 forbidden");
    }

    async fn nothing_is_made_when_anything_is_refused(app: TestApp) {
        app.owner("ada@x.org").await;
        let create = async |name: &str, email: &str| {
            app.admin().post(PATH, json!({ "name": name, "email": email })).await
        };
        assert_eq!(create("default", "bo@x.org").await.refusal(), "409 organisation_taken");
        assert_eq!(create("second", "ada@x.org").await.refusal(), "409 email_taken");
        assert_eq!(create("", "bo@x.org").await.refusal(), "400 invalid_field");
        assert_eq!(create("a\nb", "bo@x.org").await.refusal(), "400 invalid_field");
        assert_eq!(create(&"a".repeat(65), "bo@x.org").await.refusal(), "400 invalid_field");
        let listed = app.admin().get(PATH).await.json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    }
}
