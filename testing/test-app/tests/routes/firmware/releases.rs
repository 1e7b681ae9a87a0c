use otaru_test_app::each_database;

const IMAGE: &str = "/firmware/clock/1.0.5.bin";
const MANIFEST: &str = "/firmware/clock/1.0.5.manifest";

each_database! {
    async fn a_device_downloads_its_image_and_resumes(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        let tag = format!("\"{}\"", firmware.sha256());

        let whole = device.get(IMAGE).await.expect_status(200);
        assert_eq!(whole.body(), firmware.image);
        assert_eq!((whole.header("etag"), whole.header("content-length")), (tag.as_str(), "100000"));
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert_eq!(whole.header("cache-control"), "private, no-cache");

        let rest = device.clone().with_header("range", "bytes=65536-").with_header("if-range", &tag);
        let rest = rest.get(IMAGE).await.expect_status(206);
        assert_eq!(rest.body(), &firmware.image[65_536..]);
        assert_eq!(rest.header("content-range"), "bytes 65536-99999/100000");

        let head = device.head(IMAGE).await.expect_status(200);
        assert_eq!((head.body().len(), head.header("content-length")), (0, "100000"));
        let same = device.clone().with_header("if-none-match", &tag).get(IMAGE).await;
        assert_eq!(same.status(), 304);
        let beyond = device.clone().with_header("range", "bytes=100000-").get(IMAGE).await;
        assert_eq!(beyond.refusal(), "416 range_unsatisfiable");
        assert_eq!(device.get(MANIFEST).await.expect_status(200).body(), firmware.manifest);
    }

    async fn a_private_product_is_downloaded_by_its_own_devices_and_people(app: TestApp) {
        app.create_product("clock", "device").await;
        app.create_product("lamp", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        let lamp = app.add_device("lamp-01", "lamp").await;
        let owner = app.owner("ada@example.org").await;
        for path in [IMAGE, MANIFEST] {
            for nobody in [app.anonymous(), app.stranger(), lamp.clone(), owner.clone()] {
                assert_eq!(nobody.get(path).await.refusal(), "403 download_forbidden");
            }
            app.operator().await.get(path).await.expect_status(200);
        }
    }

    async fn a_public_product_is_downloaded_by_anybody(app: TestApp) {
        app.create_product("clock", "public").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        for somebody in [app.anonymous(), app.stranger()] {
            assert_eq!(somebody.get(IMAGE).await.expect_status(200).body(), firmware.image);
        }
    }

    async fn what_does_not_exist_is_404(app: TestApp) {
        app.create_product("clock", "public").await;
        let refusal = async |path: &str| app.anonymous().get(path).await.refusal();
        assert_eq!(refusal(IMAGE).await, "404 release_unknown");
        assert_eq!(refusal("/firmware/none/1.0.5.bin").await, "404 product_unknown");
        assert_eq!(refusal("/firmware/clock/1.0.5.elf").await, "404 route_unknown");
        assert_eq!(refusal("/firmware/clock/1.0.5").await, "404 route_unknown");
        assert_eq!(refusal("/firmware/clock/..bin").await, "400 invalid_path");
    }
}
