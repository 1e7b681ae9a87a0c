//! Images that are dropped into a bucket.

use std::time::Duration;

use otaru_operations::{look_at_bucket, remove_orphans};
use otaru_release::{Chip, ImageBuilder};
use otaru_s3::{Bucket, Fault, Link};
use otaru_test_app::{TestApp, each_database};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/bucket-watch";
const RELEASES: &str = "/api/v1/products/clock/releases";

/// A server that watches `incoming/` of a bucket, and has the product `clock`.
async fn watching(mut app: TestApp) -> (TestApp, Bucket) {
    let bucket = Bucket::fresh();
    app.set_watched_bucket(bucket.url("incoming"), bucket.options(bucket.address()));
    app.restart().await;
    app.create_product("clock", "device").await;
    (app, bucket)
}

async fn look(app: &TestApp) -> u64 {
    look_at_bucket(&app.operations).await.expect("moto answers")
}

/// Path, state and refusal of everything that was found.
async fn listed(app: &TestApp) -> Vec<String> {
    let list = app.admin().get(PATH).await.expect_status(200).json();
    let line = |item: &Value| {
        let text = |name: &str| item[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("path"), text("state"), text("code"))
    };
    list["items"].as_array().expect("a list").iter().map(line).collect()
}

each_database! {
    async fn an_image_waits_for_its_signature_and_is_published_with_it(app: TestApp) {
        let (mut app, bucket) = watching(app).await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        bucket.put("incoming/firmware/clock/1.0.5.bin", &firmware.image);
        bucket.put("incoming/firmware/clock/1.0.5.elf", b"of no interest");
        bucket.put("elsewhere/firmware/clock/1.0.6.bin", &firmware.image);
        assert_eq!(look(&app).await, 1);
        assert_eq!(listed(&app).await, ["firmware/clock/1.0.5.bin waiting -"]);
        assert_eq!((look(&app).await, app.stored_images().len()), (0, 1));
        app.restart().await;
        assert_eq!(look(&app).await, 0, "a restart forgets nothing");

        // Devices and owners know nothing of it, and it stays for as long as it waits.
        let device = app.add_device("clock-01", "clock").await;
        assert_eq!(device.get("/firmware/clock/1.0.5.bin").await.refusal(), "404 release_unknown");
        app.advance(Duration::from_secs(3 * 86_400));
        assert_eq!(remove_orphans(&app.operations).await.unwrap(), 0);

        let waiting = format!("{PATH}/clock/1.0.5");
        let publisher = app.publisher().await;
        assert_eq!(publisher.get(&waiting).await.expect_status(200).body(), firmware.image);
        publisher.upload(RELEASES, &firmware.form()).await.expect_status(201);
        assert_eq!(listed(&app).await, ["firmware/clock/1.0.5.bin signed -"]);
        let unknown = publisher.get(&format!("{PATH}/clock/1.0.9")).await;
        assert_eq!(unknown.refusal(), "404 release_unknown");
    }

    async fn what_is_refused_is_told_of_once_until_it_changes(app: TestApp) {
        let (app, bucket) = watching(app).await;
        app.publish("clock", "1.0.4", 1).await;
        let firmware = app.firmware("clock", "1.0.5", 2);
        bucket.put("incoming/firmware/clock/1.0.4.bin", &firmware.image);
        bucket.put("incoming/firmware/clock/1.0.5.bin", &firmware.image[..50_000]);
        bucket.put("incoming/firmware/lamp/1.0.5.bin", &firmware.image);
        bucket.put("incoming/firmware/clock/beta/1.0.5.bin", &firmware.image);
        assert_eq!((look(&app).await, look(&app).await), (4, 0));
        assert_eq!(listed(&app).await, [
            "firmware/clock/1.0.4.bin refused version_taken",
            "firmware/clock/1.0.5.bin refused image_segment_overrun",
            "firmware/clock/beta/1.0.5.bin refused invalid_field",
            "firmware/lamp/1.0.5.bin refused product_unknown",
        ]);
        assert_eq!(app.stored_images().len(), 1, "nothing of them is stored");
        let refused = app.admin().get(&format!("{PATH}/clock/1.0.5")).await;
        assert_eq!(refused.refusal(), "404 release_unknown");

        bucket.put("incoming/firmware/clock/1.0.5.bin", &firmware.image);
        assert_eq!((look(&app).await, look(&app).await), (1, 0));
        assert_eq!(listed(&app).await[1], "firmware/clock/1.0.5.bin waiting -");
    }

    async fn a_draft_that_is_deleted_waits_again(app: TestApp) {
        let (app, bucket) = watching(app).await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        bucket.put("incoming/firmware/clock/1.0.5.bin", &firmware.image);
        look(&app).await;
        let form = [&firmware.form()[..], &[("draft", &b"true"[..])]].concat();
        app.admin().upload(RELEASES, &form).await.expect_status(201);
        assert_eq!(listed(&app).await, ["firmware/clock/1.0.5.bin signed -"]);
        app.admin().delete(&format!("{RELEASES}/1.0.5")).await.expect_status(204);
        assert_eq!(look(&app).await, 1);
        let waiting = app.admin().get(&format!("{PATH}/clock/1.0.5")).await;
        assert_eq!(waiting.expect_status(200).body(), firmware.image);
    }

    async fn an_object_that_cannot_be_read_stops_nothing(app: TestApp) {
        let mut app = app;
        let bucket = Bucket::fresh();
        let link = Link::to(bucket.address()).await;
        app.set_watched_bucket(bucket.url("incoming"), bucket.options(link.address()));
        app.restart().await;
        app.create_product("clock", "device").await;
        let small = ImageBuilder::new(Chip::Esp32C3).size_bytes(4_096);
        for (version, image) in [
            ("1.0.1", small.clone().version("1.0.1").build()),
            ("1.0.2", small.clone().version("1.0.2").size_bytes(1_500_000).build()),
            ("1.0.3", small.clone().version("1.0.3").build()),
        ] {
            bucket.put(&format!("incoming/firmware/clock/{version}.bin"), &image);
        }
        // So many tries as there are bring less than the long one, and all of the others.
        link.set(Fault::CutAfter(100_000));
        assert_eq!(look(&app).await, 2);
        let waiting = |version: &str| format!("firmware/clock/{version}.bin waiting -");
        assert_eq!(listed(&app).await, [waiting("1.0.1"), waiting("1.0.3")]);
        assert_eq!(look(&app).await, 0);
        link.set(Fault::None);
        assert_eq!(look(&app).await, 1);
        assert_eq!(listed(&app).await, ["1.0.1", "1.0.2", "1.0.3"].map(waiting));
    }

    async fn screens_hear_of_what_comes_and_goes(app: TestApp) {
        let (app, bucket) = watching(app).await;
        let mut events = app.operator().await.listen("/api/v1/listen").await;
        events.place().await;
        // Hints are for who is up to date: something of the log says that it is.
        app.add_device("clock-01", "clock").await;
        let path = "/api/v1/devices/clock-01/channel";
        app.admin().put(path, json!({ "channel": "beta" })).await.expect_status(200);
        assert_eq!(events.next().await.kind, "device_changed");
        let mut hears = async |kind: &str, body: Value| {
            let event = events.next().await;
            assert_eq!((event.kind.as_str(), &event.body), (kind, &body));
        };
        let path = "firmware/clock/1.0.5.bin";
        bucket.put(&format!("incoming/{path}"), b"no firmware");
        assert_eq!(look(&app).await, 1);
        hears("bucket_changed", json!({ "path": path })).await;
        bucket.put(&format!("incoming/{path}"), &app.firmware("clock", "1.0.5", 2).image);
        assert_eq!(look(&app).await, 1);
        hears("bucket_changed", json!({ "path": path })).await;
        app.publish("clock", "1.0.5", 2).await;
        hears("releases_changed", json!({ "product": "clock", "version": "1.0.5" })).await;
        hears("patches_changed", json!({ "product": "clock", "version": "1.0.5" })).await;
        bucket.delete(&format!("incoming/{path}"));
        assert_eq!(look(&app).await, 0);
        hears("bucket_changed", json!({ "path": path })).await;
        assert_eq!(listed(&app).await, [""; 0]);
    }

    async fn a_webhook_is_believed_nothing(app: TestApp) {
        let (app, _bucket) = watching(app).await;
        let event = json!({ "Records": [{ "s3": { "object": { "key": "firmware/clock/9.bin" } } }] });
        app.publisher().await.post(PATH, event.clone()).await.expect_status(202);
        assert_eq!(app.operator().await.post(PATH, event.clone()).await.refusal(), "403 forbidden");
        assert_eq!(app.anonymous().post(PATH, event).await.refusal(), "401 unauthenticated");
        assert_eq!(listed(&app).await, [""; 0]);
    }
}
