use otaru_test_app::each_database;

each_database! {
    async fn a_server_is_ready_when_it_says_so(app: TestApp) {
        assert_eq!(app.anonymous().get("/healthz").await.status(), 200);
        assert_eq!(app.anonymous().get("/readyz").await.status(), 200);
        app.readiness.set(false);
        assert_eq!(app.anonymous().get("/readyz").await.refusal(), "503 not_ready");
        assert_eq!(app.stranger().get("/healthz").await.status(), 200);
    }
}
