use otaru_test_app::each_database;

each_database! {
    async fn the_api_can_be_read_and_tried_without_the_internet(app: TestApp) {
        assert_eq!(app.anonymous().get("/docs").await.header("location"), "/docs/");
        let page = app.anonymous().get("/docs/").await.expect_status(200);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert!(!page.to_string().contains("https://"), "{page}");
        let script = app.anonymous().get("/docs/swagger-initializer.js").await.expect_status(200);
        assert!(script.to_string().contains("/openapi.json"), "{script}");
        app.anonymous().get("/docs/swagger-ui-bundle.js").await.expect_status(200);
        let elsewhere = app.anonymous().get("/api/v1/whoami").await;
        let policy = elsewhere.header("content-security-policy");
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'");
    }
}
