use expect_test::expect;
use otaru_test_app::each_database;

each_database! {
    async fn a_token_of_its_own_has_a_role_and_no_user(app: TestApp) {
        let admin = app.admin().get("/api/v1/whoami").await.json();
        assert_eq!((&admin["role"], &admin["user"]), (&"admin".into(), &serde_json::Value::Null));
        assert_eq!(app.operator().await.get("/api/v1/whoami").await.json()["role"], "operator");
    }

    async fn a_person_s_token_names_the_person(app: TestApp) {
        let mut owner = app.owner("Ada@Example.org").await.get("/api/v1/whoami").await.json();
        owner["user"]["id"] = "ID".into();
        expect![[r#"{"email":"ada@example.org","firmware_version":null,"id":"ID","language":null,"organisation":"default","phrase_type":null,"role":"owner"}"#]]
            .assert_eq(&owner["user"].to_string());
    }
}
