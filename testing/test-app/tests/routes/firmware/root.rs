use otaru_test_app::each_database;

each_database! {
    async fn root_documents_are_public(app: TestApp) {
        app.create_product("clock", "device").await;
        for path in ["/firmware/clock/root/1", "/firmware/clock/root/latest"] {
            let answer = app.stranger().get(path).await.expect_status(200);
            assert_eq!(answer.body(), app.keys().root());
            assert_eq!(answer.header("content-type"), "application/cbor");
        }
        let numbered = app.stranger().get("/firmware/clock/root/1").await;
        assert_eq!(numbered.header("cache-control"), "public, max-age=31536000, immutable");
        let newest = app.stranger().get("/firmware/clock/root/latest").await;
        assert_eq!(newest.header("cache-control"), "public, no-cache");
    }

    async fn a_root_document_that_is_none_is_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        let refusal = async |path: &str| app.stranger().get(path).await.refusal();
        assert_eq!(refusal("/firmware/clock/root/2").await, "404 root_unknown");
        assert_eq!(refusal("/firmware/none/root/1").await, "404 root_unknown");
        assert_eq!(refusal("/firmware/clock/root/newest").await, "400 invalid_path");
    }
}
