use otaru_test_app::each_database;

each_database! {
    async fn products_are_listed_by_name_and_shown(app: TestApp) {
        app.create_product("lamp", "public").await;
        app.create_product("clock", "device").await;
        let operator = app.operator().await;
        let listed = operator.get("/api/v1/products").await.expect_status(200).json();
        let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
        assert_eq!(names, ["clock", "lamp"]);
        let lamp = operator.get("/api/v1/products/lamp").await.expect_status(200).json();
        assert_eq!(lamp["download"], "public");
        let none = operator.get("/api/v1/products/none").await;
        assert_eq!(none.refusal(), "404 product_unknown");
    }
}
