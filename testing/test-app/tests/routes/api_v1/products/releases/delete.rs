use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use otaru_operations::{finish_deletions, remove_orphans};
use otaru_test_app::{TestApp, each_database};
use otaru_wire::Digest;
use serde_json::json;

const PATH: &str = "/api/v1/products/clock/releases";

async fn yank(app: &TestApp, version: &str) {
    app.admin().post(&format!("{PATH}/{version}/yank"), json!({})).await.expect_status(200);
}

async fn delete(app: &TestApp, version: &str) -> String {
    let answer = app.admin().delete(&format!("{PATH}/{version}")).await;
    match answer.status() {
        204 => "204".to_owned(),
        _ => answer.refusal(),
    }
}

each_database! {
    async fn an_image_in_use_is_not_deleted(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        assert_eq!(delete(&app, "1.0.5").await, "409 image_in_use", "it is published");
        app.provision("clock-01", "clock").await;
        let report = json!({ "state": { "reported": { "firmware": {
            "sha256": firmware.sha256().to_string(), "version": "1.0.5", "slot": "ota_0",
            "state": "confirmed" } } } });
        app.admin().post("/things/clock-01/shadow", report).await.expect_status(200);
        yank(&app, "1.0.5").await;
        let answer = app.admin().delete(&format!("{PATH}/1.0.5")).await;
        assert_eq!(answer.refusal(), "409 image_in_use");
        assert!(answer.json()["detail"].as_str().unwrap().contains("clock-01"), "{answer}");
        assert_eq!(app.stored_images(), [firmware.sha256().to_string()]);
        assert_eq!(delete(&app, "9").await, "404 release_unknown");
    }

    async fn an_image_that_a_device_names_by_version_alone_is_not_deleted(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        app.provision("clock-01", "clock").await;
        let report = json!({ "state": { "reported": { "config": { "firmware_version": "1.0.5" } } } });
        app.admin().post("/things/clock-01/shadow", report).await.expect_status(200);
        yank(&app, "1.0.5").await;
        let answer = app.admin().delete(&format!("{PATH}/1.0.5")).await;
        assert_eq!(answer.refusal(), "409 image_in_use");
        assert!(answer.json()["detail"].as_str().unwrap().contains("clock-01"), "{answer}");
        assert_eq!(app.stored_images(), [firmware.sha256().to_string()]);
    }

    /// The first server fails, or loses its database, after it noted that the bytes go. They may
    /// go at any time then: whoever publishes them on the second waits until that is certain.
    async fn bytes_that_another_server_may_be_deleting_are_not_published(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        yank(&app, "1.0.5").await;
        let path = app.image_folder().join(firmware.sha256().to_string());
        std::fs::remove_file(&path).unwrap();
        // No file system deletes a folder in place of a file.
        std::fs::create_dir(&path).unwrap();
        assert_eq!(app.admin().delete(&format!("{PATH}/1.0.5")).await.status(), 500);
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, &firmware.image).unwrap();
        assert_eq!(delete(&app, "1.0.5").await, "204", "it is under way");
        assert!(path.exists(), "one after another");
        let first = app.operations.clone();
        app.restart().await;

        let again = app.keys().sign(firmware.image.clone(), "clock", "1.0.6", 2);
        let publish = async || app.admin().upload(PATH, &again.form()).await;
        assert_eq!(publish().await.refusal(), "409 image_being_deleted");
        app.advance(Duration::from_secs(600));
        finish_deletions(&app.operations).await.unwrap();
        assert_eq!(publish().await.refusal(), "409 image_being_deleted", "ten minutes and no more");
        app.advance(Duration::from_secs(1));
        finish_deletions(&app.operations).await.unwrap();
        assert_eq!(app.stored_images(), [""; 0]);
        publish().await.expect_status(201);
        // The first one is not finished with it, and must not touch it.
        let _ = finish_deletions(&first).await;
        let _ = remove_orphans(&first).await;
        assert_eq!(app.stored_images(), [firmware.sha256().to_string()]);
    }

    async fn publishing_and_deleting_the_same_bytes_at_once_loses_none(app: TestApp) {
        app.create_product("clock", "device").await;
        let image = app.firmware("clock", "1.0.5", 1).image;
        let digest = Digest::of(&image).to_string();
        let admin = app.admin();
        for number in 1..=20 {
            let version = format!("1.0.{number}");
            let firmware = app.keys().sign(image.clone(), "clock", &version, number);
            let form = [&firmware.form()[..], &[("draft", b"true")]].concat();
            let before = format!("{PATH}/1.0.{}", number - 1);
            let (mut published, _) =
                tokio::join!(admin.upload(PATH, &form), admin.delete(&before));
            while published.status() == 409 {
                assert_eq!(published.refusal(), "409 image_being_deleted");
                published = admin.upload(PATH, &form).await;
            }
            published.expect_status(201);
            assert_eq!(app.stored_images(), [digest.as_str()], "round {number}");
        }
    }

    async fn the_image_of_a_withdrawn_release_goes_and_the_release_stays_known(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        yank(&app, "1.0.5").await;
        assert_eq!(delete(&app, "1.0.5").await, "204");
        assert_eq!(delete(&app, "1.0.5").await, "204");
        assert_eq!(app.stored_images(), [""; 0]);
        let known = app.admin().get(&format!("{PATH}/1.0.5")).await.expect_status(200).json();
        assert!(known["image_deleted_at"].is_string(), "{known}");
        // The same bytes under another version are stored again.
        let again = app.keys().sign(firmware.image, "clock", "1.0.6", 2);
        app.admin().upload(PATH, &again.form()).await.expect_status(201);
        assert_eq!(app.stored_images(), [again.sha256().to_string()]);
    }

    async fn bytes_that_another_release_has_stay(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let same = app.keys().sign(firmware.image.clone(), "clock", "1.0.6", 2);
        let form = [&same.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        yank(&app, "1.0.5").await;
        assert_eq!(delete(&app, "1.0.5").await, "409 image_in_use");
        assert_eq!(delete(&app, "1.0.6").await, "204", "a draft goes, whatever its image");
        assert_eq!(app.stored_images(), [firmware.sha256().to_string()]);
        assert_eq!(delete(&app, "1.0.5").await, "204");
        assert_eq!(app.stored_images(), [""; 0]);
    }

    async fn images_that_no_release_has_are_removed_when_they_are_old(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let put = |bytes: &[u8]| {
            let path = app.image_folder().join(Digest::of(bytes).to_string());
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let (fresh, old) = (put(b"fresh"), put(b"old"));
        let begun = app.admin().with_header("upload-length", "9");
        begun.post("/api/v1/uploads", json!({})).await.expect_status(201);
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        for path in [&old, &app.image_folder().join(firmware.sha256().to_string())] {
            let file = File::options().write(true).open(path).unwrap();
            file.set_times(FileTimes::new().set_modified(long_ago)).unwrap();
        }
        assert_eq!(remove_orphans(&app.operations).await.unwrap(), 1);
        assert!(fresh.exists() && !old.exists());
        assert!(app.stored_images().contains(&firmware.sha256().to_string()));
    }
}
