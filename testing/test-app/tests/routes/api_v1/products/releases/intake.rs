//! What the intake refuses, each with its code and a sample; and what it reads from what it takes.

use expect_test::expect;
use otaru_release::{Chip, Manifest};
use otaru_test_app::{Answer, Firmware, TestApp, each_database};
use serde_json::{Value, json};

use super::samples::{self, builder, changed, good};

const PATH: &str = "/api/v1/products/clock/releases";

/// Uploads an image; its manifest, which is asked about later, is of another one if it must be.
async fn upload(app: &TestApp, image: Vec<u8>, more: &[(&str, &[u8])]) -> Answer {
    let sequence = app.admin().get("/api/v1/products/clock/next-sequence").await.json();
    let sequence = sequence["next_sequence"].as_u64().expect("a number");
    let (product, version) = ("clock".parse().unwrap(), format!("1.{sequence}").parse().unwrap());
    let manifest = Manifest::for_image(&image, product, version, sequence);
    let manifest = match manifest {
        Ok(manifest) => app.keys().sign_manifest(&manifest),
        Err(_) => app.firmware("clock", "1.0.5", sequence).manifest,
    };
    let mut form: Vec<(&str, &[u8])> = vec![("image", &image), ("manifest", &manifest)];
    form.extend_from_slice(more);
    let before = app.stored_images();
    let answer = app.admin().upload(PATH, &form).await;
    if answer.status() >= 300 {
        assert_eq!(app.stored_images(), before, "{answer}");
    }
    answer
}

async fn outcome(app: &TestApp, image: Vec<u8>) -> String {
    let answer = upload(app, image, &[]).await;
    if answer.status() < 300 {
        return answer.status().to_string();
    }
    let problem = answer.json();
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    format!("{}: {}; {}", answer.refusal(), text("found"), text("expected"))
}

each_database! {
    async fn each_file_that_is_no_firmware_of_the_product_is_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        let revisions = json!({ "min": 3, "max": 101 });
        let path = "/api/v1/products/clock/chip-revisions";
        app.admin().put(path, revisions).await.expect_status(200);
        let mut table = String::new();
        for (code, what, image) in samples::images() {
            let outcome = outcome(&app, image).await;
            assert_eq!(outcome.split([' ', ':']).nth(1), Some(code), "{what}");
            table += &format!("{what}\n    {outcome}\n");
        }
        expect![[r#"
            text
                422 not_esp_image: a file that begins with byte 0x3c; an ESP-IDF application image (first byte 0xe9)
            nothing
                422 image_empty: an empty file; an ESP-IDF application image (first byte 0xe9)
            elf
                422 image_is_elf: an ELF file; the image that `esptool elf2image` or `espflash save-image` makes of it
            uf2
                422 image_is_uf2: a UF2 file; the `.bin` of the same build
            gzip
                422 image_is_compressed: a gzip file; the image itself, unpacked
            zip
                422 image_is_compressed: a zip file; the image itself, unpacked
            zstd
                422 image_is_compressed: a zstd file; the image itself, unpacked
            intel hex
                422 image_is_hex: an Intel HEX file; the `.bin` of the same build
            partition table
                422 image_is_partition_table: an ESP-IDF partition table; the application image alone, as `idf.py build` names it for flashing
            erased flash
                422 image_is_erased: erased flash (0xff); the application's `.bin`, or flash read from the application's offset
            bootloader
                422 image_is_bootloader: an ESP-IDF bootloader; the application image alone, as `idf.py build` names it for flashing
            factory image
                422 image_is_factory: a merged factory image (bootloader, partitions and app); the application image alone, as `idf.py build` names it for flashing
            factory image at 0x1000
                422 image_is_factory: a merged factory image (bootloader, partitions and app); the application image alone, as `idf.py build` names it for flashing
            no segments
                422 image_no_segments: no segments; 1 to 16 segments
            17 segments
                422 image_too_many_segments: 17 segments; 1 to 16 segments
            odd segment length
                422 image_segment_length: segment 0 of 20189 bytes; a multiple of 4 bytes
            segment overruns the file
                422 image_segment_overrun: a file of 100000 bytes that ends within segment 0; at least 16731900 bytes, where the segment ends
            cut
                422 image_segment_overrun: a file of 60000 bytes that ends within segment 1; at least 99952 bytes, where the segment ends
            cut in its sha-256
                422 image_truncated: 99990 bytes; at least 100000 bytes
            checksum
                422 image_checksum_wrong: checksum 0x36; checksum 0x37
            appended sha-256
                422 image_hash_wrong: appended SHA-256 3f10ade205e46c0c3ccc5444c057fa2232d63c5ace584d0a1cd67b4661c3feb7; SHA-256 3f10ade205e46c0c3ccc5444c057fa2232d63c5ace584d0a1cd67b4661c3feb6
            signature of other bytes
                422 image_signature: signature block 0 of other bytes; a signature block over this image
            bytes behind
                422 image_trailing: 4 bytes after the image's end; 100000 bytes, then only 0xff padding or a signature sector
            unknown chip
                422 unknown_chip: chip id 119; one of 0, 2, 5, 9, 12, 13, 16, 18, 20, 23, 25, 28, 32
            another chip
                422 wrong_chip: an image for ESP32-S3; an image for ESP32-C3
            too new a revision
                422 wrong_revision: an image for revision 100 and later; an image for revision 3
            too old a revision
                422 wrong_revision: an image for revisions 0 to 100; an image for revision 101
            larger than the slot
                422 image_too_large: 2031632 bytes; at most 2031616 bytes
            more flash than there is
                422 flash_too_small: an image for 8388608 bytes of flash; at most 4194304 bytes of flash
            no descriptor
                422 project_missing: no application descriptor; the name of a project
        "#]].assert_eq(&table);
        assert_eq!(app.stored_images(), [""; 0]);
    }

    async fn a_release_is_held_against_those_before(app: TestApp) {
        app.create_product("clock", "device").await;
        assert_eq!(outcome(&app, builder().secure_version(3).build()).await, "201");
        let older = outcome(&app, builder().secure_version(2).seed(2).build()).await;
        expect!["422 security_counter_older: 2; at least 3"].assert_eq(&older);
        // Of a withdrawn one as well: somebody may run it.
        app.admin().post(&format!("{PATH}/1.1/yank"), json!({})).await.expect_status(200);
        assert_eq!(outcome(&app, builder().secure_version(2).build()).await, older);

        let qio = || changed(builder().secure_version(3).seed(3).build(), 2, &[0]);
        let refused = outcome(&app, qio()).await;
        expect!["422 flash_mode_differs: qio; dio"].assert_eq(&refused);
        let unknown = upload(&app, qio(), &[("accept", b"wrong_chip")]).await;
        assert_eq!(unknown.refusal(), "400 invalid_field");
        upload(&app, qio(), &[("accept", b"flash_mode_differs")]).await.expect_status(201);

        let taken = upload(&app, qio(), &[]).await;
        assert_eq!(taken.status(), 201, "the same bytes under another version are stored once");
        assert_eq!(app.stored_images().len(), 2);
    }

    async fn what_was_read_from_an_image_is_shown(app: TestApp) {
        app.create_product("clock", "device").await;
        let image = builder().project("clock").secure_version(3).min_revision(3).build();
        let release = upload(&app, image, &[]).await.expect_status(201).json();
        let shown = app.admin().get(&format!("{PATH}/1.1")).await.json();
        assert_eq!(shown, release);
        let mut read = release["image"].clone();
        assert_eq!(read["elf_sha256"].take().as_str().map(str::len), Some(64));
        expect![[r#"{"built":"Jan  1 2026 00:00:00","chip":"esp32c3","elf_sha256":null,"flash_bytes":4194304,"flash_mode":"dio","format":"esp_idf","has_appended_hash":true,"idf_version":"v5.5","max_revision":null,"min_revision":3,"project":"clock","project_version":"1.0.5","secure_version":3,"signature_blocks":0}"#]].assert_eq(&read.to_string());
        assert_eq!((&release["state"], &release["security_counter"]), (&"published".into(), &3.into()));
        assert_eq!(release["warnings"], json!([]));
    }

    async fn what_may_be_a_mistake_is_told_and_taken(app: TestApp) {
        app.create_product("clock", "device").await;
        let codes = async |image: Vec<u8>| {
            let release = upload(&app, image, &[]).await.expect_status(201).json();
            let warnings = release["warnings"].as_array().expect("a list").clone();
            let codes = warnings.iter().map(|warning| warning["code"].as_str().unwrap().to_owned());
            codes.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(codes(builder().project("clock").build()).await, "");
        assert_eq!(codes(builder().project("lamp").build()).await, "project_differs");
        let arduino = builder().project("arduino-lib-builder").build();
        assert_eq!(codes(changed(arduino, 32 + 144, &[0; 32])).await, "elf_sha256_zero");
    }

    async fn an_image_that_names_no_project_is_named_by_its_publisher(app: TestApp) {
        app.create_product("clock", "device").await;
        let nameless = || changed(good(), 32, &[0; 4]);
        assert_eq!(upload(&app, nameless(), &[]).await.refusal(), "422 project_missing");
        let named = upload(&app, nameless(), &[("project", b"clock")]).await.expect_status(201);
        assert_eq!(named.json()["image"]["project"], "clock");
        assert_eq!(named.json()["image"]["idf_version"], Value::Null);
        let other = upload(&app, builder().project("clock").build(), &[("project", b"lamp")]).await;
        assert_eq!(other.refusal(), "400 invalid_field");
    }

    async fn a_product_of_another_chip_takes_bytes(app: TestApp) {
        let product = |chip: &str, images: &str| json!({
            "name": "lamp", "chip": chip, "flash_bytes": 1 << 20, "images": images,
            "root": app.keys().root_base64(),
        });
        for (chip, images) in [("nrf52840", "esp_idf"), ("esp32c3", "raw"), ("Nordic", "raw")] {
            let refused = app.admin().post("/api/v1/products", product(chip, images)).await;
            assert_eq!(refused.refusal(), "400 invalid_field", "{chip} {images}");
        }
        let created = app.admin().post("/api/v1/products", product("nrf52840", "raw")).await;
        assert_eq!(created.expect_status(201).json()["images"], "raw");
        let path = "/api/v1/products/lamp/releases";
        let send = async |image: Vec<u8>, chip: Chip, sequence: u64| {
            let version = format!("1.{sequence}").parse().unwrap();
            let manifest =
                Manifest::for_raw_image(&image, "lamp".parse().unwrap(), chip, version, sequence);
            let manifest = app.keys().sign_manifest(&manifest);
            app.admin().upload(path, &Firmware { image, manifest }.form()).await
        };
        let nrf: Chip = "nrf52840".parse().unwrap();
        let taken = send(b"any bytes".repeat(20_000), nrf, 1).await.expect_status(201).json();
        assert_eq!((&taken["image"]["format"], &taken["image"]["chip"]), (&"raw".into(), &"nrf52840".into()));
        let refusals = [
            send(Vec::new(), nrf, 2).await.refusal(),
            send(good(), nrf, 2).await.refusal(),
            send(vec![7; (1 << 19) + 1], nrf, 2).await.refusal(),
            send(b"any bytes".repeat(9), "stm32".parse().unwrap(), 2).await.refusal(),
        ];
        expect![[r#"
            422 image_empty
            422 wrong_chip
            422 image_too_large
            422 manifest_mismatch"#]].assert_eq(&refusals.join("\n"));
    }

    async fn source_and_bill_of_materials_are_checked(app: TestApp) {
        app.create_product("clock", "device").await;
        let sbom: &[u8] = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"lwip"}]}"#;
        let source: &[u8] = br#"{"repository":"https://example.org/clock.git","commit":"0123456789abcdef"}"#;
        let refused = upload(&app, good(), &[("sbom", b"<bom/>")]).await;
        assert_eq!(refused.refusal(), "422 sbom_invalid");
        let refused = upload(&app, good(), &[("source", br#"{"repository":"x","commit":"main"}"#)]).await;
        assert_eq!(refused.refusal(), "400 invalid_field");
        let release = upload(&app, good(), &[("sbom", sbom), ("source", source)]).await;
        let release = release.expect_status(201).json();
        assert_eq!(release["source"]["commit"], "0123456789abcdef");
        assert_eq!(release["sbom"]["components"], 1);
        let kept = app.admin().get(&format!("{PATH}/1.1/sbom")).await.expect_status(200);
        assert_eq!(kept.body(), sbom);
        assert_eq!(kept.header("content-type"), "application/vnd.cyclonedx+json");
        upload(&app, builder().seed(2).build(), &[]).await.expect_status(201);
        let none = app.admin().get(&format!("{PATH}/1.2/sbom")).await;
        assert_eq!(none.refusal(), "404 sbom_unknown");
    }
}
