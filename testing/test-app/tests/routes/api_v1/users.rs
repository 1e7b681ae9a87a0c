use otaru_test_app::each_database;
use serde_json::json;

each_database! {
    async fn people_are_listed_by_address_in_pages(app: TestApp) {
        for email in ["cleo@example.org", "ada@example.org", "bo@example.org"] {
            app.owner(email).await;
        }
        let mut seen = Vec::new();
        let mut path = "/api/v1/users?limit=2".to_owned();
        loop {
            let page = app.admin().get(&path).await.expect_status(200).json();
            let items = page["items"].as_array().expect("items");
            seen.extend(items.iter().map(|user| user["email"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/users?limit=2&cursor={cursor}");
        }
        assert_eq!(seen, ["ada@example.org", "bo@example.org", "cleo@example.org"]);
    }

    async fn an_address_is_taken_once(app: TestApp) {
        app.owner("ada@example.org").await;
        let again = json!({ "email": "ADA@example.org", "role": "viewer" });
        assert_eq!(app.admin().post("/api/v1/users", again).await.refusal(), "409 email_taken");
        let none = json!({ "email": "ada", "role": "viewer" });
        assert_eq!(app.admin().post("/api/v1/users", none).await.refusal(), "400 invalid_field");
        let king = json!({ "email": "bo@example.org", "role": "king" });
        assert_eq!(app.admin().post("/api/v1/users", king).await.refusal(), "400 invalid_body");
    }

    async fn only_an_admin_adds_people(app: TestApp) {
        let user = json!({ "email": "bo@example.org", "role": "admin" });
        let answer = app.operator().await.post("/api/v1/users", user).await;
        assert_eq!(answer.refusal(), "403 forbidden");
    }
}
