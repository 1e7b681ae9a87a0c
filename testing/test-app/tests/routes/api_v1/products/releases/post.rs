use std::convert::Infallible;

use axum::body::Body;
use axum::http::Method;
use expect_test::expect;
use otaru_release::{Chip, ImageBuilder};
use otaru_test_app::{Answer, Client, Firmware, Publisher, TestApp, each_database};
use serde_json::json;
use tokio_stream as stream;

const PATH: &str = "/api/v1/products/clock/releases";

/// Uploads and says what came of it. Every refusal names what was found and expected.
async fn upload(app: &TestApp, firmware: &Firmware) -> String {
    let answer = send(app, &app.admin(), &firmware.form()).await;
    if answer.status() < 300 {
        return answer.status().to_string();
    }
    let problem = answer.json();
    assert!(problem["found"].is_string() && problem["expected"].is_string(), "{answer}");
    answer.refusal()
}

/// Uploads to [`PATH`]. A refused upload leaves nothing in the image store.
async fn send(app: &TestApp, client: &Client, form: &[(&str, &[u8])]) -> Answer {
    let before = app.stored_images();
    let answer = client.upload(PATH, form).await;
    if answer.status() >= 300 {
        assert_eq!(app.stored_images(), before, "{answer}");
    }
    answer
}

async fn versions(app: &TestApp) -> Vec<String> {
    let listed = app.admin().get(PATH).await.expect_status(200).json();
    let items = listed["items"].as_array().expect("items").iter();
    items.map(|release| release["version"].as_str().expect("a version").to_owned()).collect()
}

each_database! {
    async fn a_signed_image_becomes_a_release(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 7);
        let published = app.publisher().await.upload(PATH, &firmware.form()).await;
        let mut release = published.expect_status(201).json();
        assert_eq!(release["sha256"], firmware.sha256().to_string());
        assert_eq!(app.stored_images(), [firmware.sha256().to_string()]);
        release["sha256"] = "SHA256".into();
        expect![[r#"{"approval":null,"channel":"stable","created_at":"2026-11-23T12:00:00.000Z","image":{"built":"Jan  1 2026 00:00:00","chip":"esp32c3","elf_sha256":"16364525d98001f81361e52999ced4baa331e6d661c9d421f0dc19920840f381","flash_bytes":4194304,"flash_mode":"dio","format":"esp_idf","has_appended_hash":true,"idf_version":"v5.5","max_revision":null,"min_revision":0,"project":"clock","project_version":"1.0.5","secure_version":0,"signature_blocks":0},"image_deleted_at":null,"notes":"Better in every way","notes_by_language":{"en":"Better in every way"},"product":"clock","safety":null,"sbom":null,"security_counter":0,"sequence":7,"sha256":"SHA256","signer_key_id":"6a3803d5f059902a","size":100000,"source":null,"state":"published","trust":"trusted","version":"1.0.5","warnings":[],"yank_reason":null,"yanked":false,"yanked_at":null}"#]]
            .assert_eq(&release.to_string());
        let next = app.admin().get("/api/v1/products/clock/next-sequence").await.json();
        assert_eq!(next, json!({ "next_sequence": 8 }));
    }

    async fn the_same_bytes_again_are_the_same_release(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        assert_eq!(upload(&app, &firmware).await, "201");
        assert_eq!(upload(&app, &firmware).await, "200");
        assert_eq!(versions(&app).await, ["1.0.5"]);
    }

    async fn a_version_never_changes_its_bytes(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        let image = ImageBuilder::new(Chip::Esp32C3).seed(99).build();
        let other = app.keys().sign(image, "clock", "1.0.5", 2);
        assert_eq!(upload(&app, &other).await, "409 version_taken");
    }

    async fn sequences_only_rise(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 5).await;
        for sequence in [4, 5] {
            let late = app.firmware("clock", "1.0.6", sequence);
            let answer = send(&app, &app.admin(), &late.form()).await;
            assert_eq!(answer.refusal(), "409 sequence_taken");
            assert_eq!(answer.json()["expected"], "above 5");
        }
        assert_eq!(versions(&app).await, ["1.0.5"]);
    }

    async fn what_is_no_firmware_of_the_product_is_refused_with_its_own_code(app: TestApp) {
        app.create_product("clock", "device").await;
        let good = app.firmware("clock", "1.0.5", 1);
        let with_image = |image: Vec<u8>| Firmware { image, ..good.clone() };
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(5_000, 0);
        let mut flipped = good.image.clone();
        flipped[50_000] ^= 0x10;
        let other_chip = ImageBuilder::new(Chip::Esp32).version("1.0.5").build();
        let large = ImageBuilder::new(Chip::Esp32C3).size_bytes(0x1F_0000 + 16).build();
        let large = app.keys().sign(large, "clock", "1.0.5", 1);
        let truncated = good.image[..60_000].to_vec();
        let outcomes = [
            ("elf", upload(&app, &with_image(elf)).await),
            ("truncated", upload(&app, &with_image(truncated)).await),
            ("one bit flipped", upload(&app, &with_image(flipped)).await),
            ("another chip", upload(&app, &app.keys().sign(other_chip, "clock", "1.0.5", 1)).await),
            ("larger than the slot", upload(&app, &large).await),
            ("empty", upload(&app, &with_image(Vec::new())).await),
        ];
        let table: String =
            outcomes.iter().map(|(what, outcome)| format!("{what}: {outcome}\n")).collect();
        expect![[r#"
            elf: 422 image_is_elf
            truncated: 422 image_segment_overrun
            one bit flipped: 422 image_checksum_wrong
            another chip: 422 wrong_chip
            larger than the slot: 422 image_too_large
            empty: 422 image_empty
        "#]].assert_eq(&table);
        assert_eq!(versions(&app).await, [""; 0]);
    }

    async fn a_wrong_chip_names_both(app: TestApp) {
        app.create_product("clock", "device").await;
        let image = ImageBuilder::new(Chip::Esp32).version("1.0.5").build();
        let foreign = app.keys().sign(image, "clock", "1.0.5", 1);
        let answer = send(&app, &app.admin(), &foreign.form()).await;
        assert_eq!(answer.refusal(), "422 wrong_chip");
        let problem = answer.json();
        expect![[r#""an image for ESP32" "an image for ESP32-C3""#]].assert_eq(&format!("{} {}", problem["found"], problem["expected"]));
    }

    async fn only_a_manifest_of_the_release_key_about_these_bytes_counts(app: TestApp) {
        app.create_product("clock", "device").await;
        app.create_product("lamp", "device").await;
        let good = app.firmware("clock", "1.0.5", 1);
        let with_manifest = |manifest: Vec<u8>| Firmware { manifest, ..good.clone() };
        let stranger = Publisher::stranger().firmware("clock", "1.0.5", 1);
        let mut broken = good.manifest.clone();
        let last = broken.len() - 1;
        broken[last] ^= 1;
        let outcomes = [
            ("no manifest", upload(&app, &with_manifest(Vec::new())).await),
            ("not a manifest", upload(&app, &with_manifest(b"manifest".to_vec())).await),
            ("broken signature", upload(&app, &with_manifest(broken)).await),
            ("a stranger's key", upload(&app, &stranger).await),
            ("of another product", upload(&app, &app.firmware("lamp", "1.0.5", 1)).await),
            ("of another image", upload(&app, &with_manifest(app.firmware("clock", "9", 1).manifest)).await),
        ];
        let table: String =
            outcomes.iter().map(|(what, outcome)| format!("{what}: {outcome}\n")).collect();
        expect![[r#"
            no manifest: 422 manifest_missing
            not a manifest: 422 manifest_invalid
            broken signature: 422 manifest_untrusted
            a stranger's key: 422 manifest_untrusted
            of another product: 422 manifest_mismatch
            of another image: 422 manifest_mismatch
        "#]].assert_eq(&table);
        assert_eq!(versions(&app).await, [""; 0]);
    }

    async fn a_form_that_is_none_is_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        let admin = app.admin();
        assert_eq!(admin.post(PATH, json!({})).await.refusal(), "415 unsupported_media_type");
        assert_eq!(send(&app, &admin, &[]).await.refusal(), "400 invalid_body");
        let unknown = send(&app, &admin, &[("firmware", b"x")]).await;
        assert_eq!(unknown.refusal(), "400 invalid_body");
        assert_eq!(unknown.json()["found"], "firmware");
        let twice = send(&app, &admin, &[("image", b"x"), ("image", b"y")]).await;
        assert_eq!(twice.refusal(), "400 invalid_body");
        let long = vec![b'x'; 300 * 1024];
        let long = send(&app, &admin, &[("image", b"x"), ("notes", &long)]).await;
        assert_eq!(long.refusal(), "413 body_too_large");
    }

    async fn an_operator_publishes_nothing(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        let answer = send(&app, &app.operator().await, &firmware.form()).await;
        assert_eq!(answer.refusal(), "403 forbidden");
        let elsewhere = app.admin().upload("/api/v1/products/none/releases", &firmware.form()).await;
        assert_eq!(elsewhere.refusal(), "404 product_unknown");
        assert_eq!(app.stored_images(), [""; 0]);
    }

    async fn who_may_not_publish_is_refused_before_the_upload_is_read(app: TestApp) {
        app.create_product("clock", "device").await;
        let owner = app.owner("ada@example.org").await;
        let owner = owner.with_header("content-type", "multipart/form-data; boundary=b");
        // More than can be read at once: each of them would hold a place.
        for _ in 0..3 {
            let never_ends = Body::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>());
            assert_eq!(owner.send(Method::POST, PATH, never_ends).await.refusal(), "403 forbidden");
        }
        app.publish("clock", "1.0.5", 1).await;
    }
}
