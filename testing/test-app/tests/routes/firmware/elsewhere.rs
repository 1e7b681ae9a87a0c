//! Images whose bytes somebody else sends.

use std::time::Duration;

use otaru_operations::{DownloadSettings, ImageSource};
use otaru_s3::Bucket;
use otaru_test_app::{TestApp, each_database};

const IMAGE: &str = "/firmware/clock/1.0.5.bin";

async fn sends_from(app: &mut TestApp, source: ImageSource) {
    app.set_downloads(DownloadSettings { source, ..DownloadSettings::default() });
    app.restart().await;
}

each_database! {
    async fn a_bucket_sends_its_images_itself(app: TestApp) {
        let (mut app, bucket) = (app, Bucket::fresh());
        app.set_images(bucket.url("images"), bucket.options(bucket.address()));
        sends_from(&mut app, ImageSource::Store { lifetime: Duration::from_secs(60) }).await;
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let device = app.add_device("clock-01", "clock").await;

        let answer = device.get(IMAGE).await.expect_status(302);
        assert_eq!(answer.header("cache-control"), "no-store");
        let there = reqwest::Client::new().get(answer.header("location")).header("range", "bytes=-16");
        let sent = there.send().await.expect("moto answers");
        assert_eq!(sent.status(), 206);
        assert_eq!(sent.bytes().await.unwrap(), firmware.image[99_984..]);

        // Who may not fetch is told no way; who has it needs none; who only asks is told here.
        assert_eq!(app.anonymous().get(IMAGE).await.refusal(), "403 download_forbidden");
        let tag = format!("\"{}\"", firmware.sha256());
        let same = device.clone().with_header("if-none-match", &tag).get(IMAGE).await;
        assert_eq!(same.status(), 304);
        assert_eq!(device.head(IMAGE).await.expect_status(200).header("content-length"), "100000");
    }

    async fn a_cdn_has_images_by_their_digest(app: TestApp) {
        let mut app = app;
        let cdn = "https://cdn.example.com/images/".parse().unwrap();
        sends_from(&mut app, ImageSource::Cdn(cdn)).await;
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let device = app.add_device("clock-01", "clock").await;
        let expected = format!("https://cdn.example.com/images/{}", firmware.sha256());
        for path in [IMAGE, &format!("/firmware/blobs/{}", firmware.sha256())] {
            assert_eq!(device.get(path).await.expect_status(302).header("location"), expected);
        }
    }
}
