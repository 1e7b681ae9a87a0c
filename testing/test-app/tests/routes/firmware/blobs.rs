use otaru_test_app::each_database;

each_database! {
    async fn an_image_is_downloaded_by_its_digest(app: TestApp) {
        app.create_product("clock", "device").await;
        app.create_product("lamp", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let clock = app.add_device("clock-01", "clock").await;
        let lamp = app.add_device("lamp-01", "lamp").await;
        let path = format!("/firmware/blobs/{}", firmware.sha256());

        let part = clock.clone().with_header("range", "bytes=-16").get(&path).await;
        assert_eq!(part.expect_status(206).body(), &firmware.image[99_984..]);
        assert_eq!(lamp.get(&path).await.refusal(), "403 download_forbidden");
        assert_eq!(app.anonymous().get(&path).await.refusal(), "403 download_forbidden");

        let unknown = format!("/firmware/blobs/{}", "0".repeat(64));
        assert_eq!(clock.get(&unknown).await.refusal(), "404 blob_unknown");
        assert_eq!(clock.get("/firmware/blobs/abc").await.refusal(), "400 invalid_path");
    }

    async fn an_image_of_a_public_product_is_open(app: TestApp) {
        app.create_product("clock", "public").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let path = format!("/firmware/blobs/{}", firmware.sha256());
        assert_eq!(app.anonymous().get(&path).await.expect_status(200).body(), firmware.image);
    }
}
