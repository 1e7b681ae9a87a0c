use otaru_test_app::each_database;
use serde_json::json;

const PATH: &str = "/api/v1/products/clock/releases";

each_database! {
    async fn nobody_but_the_organisation_knows_of_a_draft(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@example.org").await;
        app.claim(&owner, "clock-01").await;
        let firmware = app.firmware("clock", "1.0.5", 3);
        let form = [&firmware.form()[..], &[("draft", b"true")]].concat();
        let draft = app.admin().upload(PATH, &form).await.expect_status(201).json();
        assert_eq!((&draft["state"], &draft["yanked"]), (&"draft".into(), &false.into()));
        assert_eq!(app.admin().upload(PATH, &form).await.expect_status(200).json(), draft);

        let listed = app.admin().get(PATH).await.json();
        assert_eq!(listed["items"], json!([draft]));
        for file in ["1.0.5.bin", "1.0.5.manifest"] {
            let answer = device.get(&format!("/firmware/clock/{file}")).await;
            assert_eq!(answer.refusal(), "404 release_unknown");
        }
        let blob = device.get(&format!("/firmware/blobs/{}", firmware.sha256())).await;
        assert_eq!(blob.refusal(), "404 blob_unknown");
        let install = app.admin().post("/api/v1/devices/clock-01/update", json!({ "version": "1.0.5" })).await;
        assert_eq!(install.refusal(), "404 release_unknown");
        let own = owner.get("/app/devices/clock-01").await.json();
        assert!(own["available"].is_null(), "{own}");
        let yank = app.admin().post(&format!("{PATH}/1.0.5/yank"), json!({})).await;
        assert_eq!(yank.refusal(), "409 release_is_draft");
        let other = app.firmware("clock", "1.0.6", 3);
        assert_eq!(app.admin().upload(PATH, &other.form()).await.refusal(), "409 sequence_taken");

        let published = app.admin().post(&format!("{PATH}/1.0.5/publish"), json!({})).await;
        assert_eq!(published.expect_status(200).json()["state"], "published");
        app.admin().post(&format!("{PATH}/1.0.5/publish"), json!({})).await.expect_status(200);
        let own = owner.get("/app/devices/clock-01").await.json();
        assert_eq!(own["available"]["version"], "1.0.5");
        let image = device.get("/firmware/clock/1.0.5.bin").await.expect_status(200);
        assert_eq!(image.body(), firmware.image);
        let missing = app.admin().post(&format!("{PATH}/9/publish"), json!({})).await;
        assert_eq!(missing.refusal(), "404 release_unknown");
    }

    async fn publishing_the_bytes_of_a_draft_publishes_it(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 3);
        let form = [&firmware.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        let published = app.admin().upload(PATH, &firmware.form()).await.expect_status(201).json();
        assert_eq!(published["state"], "published");
        let again = app.admin().upload(PATH, &form).await.expect_status(200).json();
        assert_eq!(again["state"], "published");
        assert_eq!(app.admin().get(PATH).await.json()["items"].as_array().map(Vec::len), Some(1));
    }

    async fn a_draft_keeps_its_number_beside_other_channels(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 3);
        let form = [&firmware.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        let next = app.firmware("clock", "1.0.6", 4);
        let beta = [&next.form()[..], &[("channel", b"beta")]].concat();
        app.admin().upload(PATH, &beta).await.expect_status(201);
        let published = app.admin().post(&format!("{PATH}/1.0.5/publish"), json!({})).await;
        assert_eq!(published.expect_status(200).json()["sequence"], 3);
    }

    async fn a_draft_that_its_channel_has_passed_is_not_published(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 3);
        let form = [&firmware.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        app.publish("clock", "1.0.6", 4).await;
        let late = app.admin().post(&format!("{PATH}/1.0.5/publish"), json!({})).await;
        assert_eq!(late.refusal(), "409 sequence_taken");
        assert_eq!(late.json()["expected"], "above 4");
        let late = app.admin().upload(PATH, &firmware.form()).await;
        assert_eq!(late.refusal(), "409 sequence_taken");
        // Nobody would ever get it: signed anew it takes its own place.
        let anew = app.keys().sign(firmware.image.clone(), "clock", "1.0.5", 5);
        let published = app.admin().upload(PATH, &anew.form()).await.expect_status(201).json();
        assert_eq!((&published["state"], &published["sequence"]), (&json!("published"), &json!(5)));
    }

    async fn a_draft_that_became_older_software_is_not_published(app: TestApp) {
        app.create_product("clock", "device").await;
        let old = app.publish("clock", "1.0.4", 1).await;
        let again = app.keys().sign(old.image, "clock", "1.0.4-again", 3);
        let form = [&again.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        let next = app.firmware("clock", "1.0.5", 4);
        let beta = [&next.form()[..], &[("channel", b"beta")]].concat();
        app.admin().upload(PATH, &beta).await.expect_status(201);
        let refused = app.admin().post(&format!("{PATH}/1.0.4-again/publish"), json!({})).await;
        assert_eq!(refused.refusal(), "422 downgrade_unmarked");
    }

    async fn a_draft_that_expired_is_not_published(app: TestApp) {
        app.create_product("clock", "device").await;
        let image = app.firmware("clock", "1.0.5", 1).image;
        let firmware = app.keys().sign_as(image, "clock", "1.0.5", 1, |manifest| {
            manifest.expires_at = Some(1_795_435_200 + 3_600);
        });
        let form = [&firmware.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        app.advance(std::time::Duration::from_secs(3_600));
        let late = app.admin().post(&format!("{PATH}/1.0.5/publish"), json!({})).await;
        assert_eq!(late.refusal(), "422 manifest_expired");
        assert_eq!(app.admin().get(&format!("{PATH}/1.0.5")).await.json()["state"], "draft");
    }

    async fn a_draft_is_published_as_it_is_described_then(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 3);
        let image_and_manifest = &firmware.form()[..2];
        let wip: &[(&str, &[u8])] = &[("draft", b"true"), ("notes", b"wip"), ("channel", b"beta")];
        let source = br#"{"repository":"https://example.org/clock","commit":"0123456"}"#;
        let with_source: &[(&str, &[u8])] = &[("source", source)];
        let form = [image_and_manifest, wip, with_source].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        // A draft may be described anew as well.
        let better = [image_and_manifest, &[("draft", b"true".as_slice()), ("notes", b"Better")]].concat();
        let draft = app.admin().upload(PATH, &better).await.expect_status(200).json();
        assert_eq!((&draft["notes"], &draft["channel"]), (&json!("Better"), &json!("beta")));
        let sbom = br#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[]}"#;
        let last: &[(&str, &[u8])] = &[("notes", b"Quiet"), ("channel", b"stable"), ("sbom", sbom)];
        let form = [image_and_manifest, last].concat();
        let published = app.admin().upload(PATH, &form).await.expect_status(201).json();
        assert_eq!(published["state"], "published");
        assert_eq!((&published["notes"], &published["channel"]), (&json!("Quiet"), &json!("stable")));
        assert_eq!(published["source"]["commit"], "0123456", "it was said before");
        assert_eq!(published["sbom"]["format"], "cyclonedx");
        app.admin().get(&format!("{PATH}/1.0.5/sbom")).await.expect_status(200);
    }
}
