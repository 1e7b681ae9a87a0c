use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use otaru_operations::trim;
use otaru_test_app::{Answer, Client, Firmware, each_database};
use serde_json::json;
use tokio_stream as stream;

const UPLOADS: &str = "/api/v1/uploads";
const RELEASES: &str = "/api/v1/products/clock/releases";

async fn begin(client: &Client, firmware: &Firmware) -> Answer {
    let digest = STANDARD.encode(firmware.sha256().to_string());
    let client = client.clone().with_header("upload-length", &firmware.image.len().to_string());
    let client = client.with_header("upload-metadata", &format!("filename eA==,sha256 {digest}"));
    client.with_header("tus-resumable", "1.0.0").send(Method::POST, UPLOADS, Body::empty()).await
}

async fn append(client: &Client, to: &str, offset: usize, body: Body) -> Answer {
    let client = client.clone().with_header("content-type", "application/offset+octet-stream");
    let client = client.with_header("upload-offset", &offset.to_string());
    client.send(Method::PATCH, to, body).await
}

async fn offset(client: &Client, of: &str) -> String {
    let answer = client.head(of).await.expect_status(200);
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
    answer.header("upload-offset").to_owned()
}

fn form<'a>(firmware: &'a Firmware, upload: &'a str) -> [(&'static str, &'a [u8]); 2] {
    let id = upload.rsplit('/').next().expect("an id");
    [("upload", id.as_bytes()), ("manifest", &firmware.manifest)]
}

/// A body that ends with an error, as that of a connection that is cut.
fn cut(bytes: &[u8]) -> Body {
    let pieces = [Ok(bytes.to_vec()), Err("the cable was pulled")];
    Body::from_stream(stream::iter(pieces))
}

each_database! {
    async fn an_upload_goes_on_after_a_cut_and_a_restart(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        let publisher = app.publisher().await;
        let begun = begin(&publisher, &firmware).await.expect_status(201);
        assert_eq!(begun.header("upload-offset"), "0");
        assert!(begun.header("upload-expires").ends_with(" GMT"));
        let upload = begun.header("location").to_owned();

        let sent = append(&publisher, &upload, 0, Body::from(firmware.image[..30_000].to_vec())).await;
        assert_eq!(sent.expect_status(204).header("upload-offset"), "30000");
        let broken = append(&publisher, &upload, 30_000, cut(&firmware.image[30_000..70_001])).await;
        assert_eq!(broken.refusal(), "400 body_incomplete");
        assert_eq!(offset(&publisher, &upload).await, "70001");
        let early = publisher.upload(RELEASES, &form(&firmware, &upload)).await;
        assert_eq!(early.refusal(), "409 upload_incomplete");

        app.restart().await;
        // Whoever knows only the image finds its upload.
        let found = begin(&publisher, &firmware).await.expect_status(201);
        assert_eq!((found.header("location"), found.header("upload-offset")), (upload.as_str(), "70001"));
        let elsewhere = append(&publisher, &upload, 70_000, Body::from(vec![0; 10])).await;
        assert_eq!(elsewhere.refusal(), "409 upload_offset");
        let rest = Body::from(firmware.image[70_001..].to_vec());
        append(&publisher, &upload, 70_001, rest).await.expect_status(204);
        assert_eq!(app.stored_images(), [""; 0]);

        // What is wrong with the manifest costs no second upload.
        let wrong = app.keys().sign(firmware.image.clone(), "lamp", "1.0.5", 1);
        let refused = publisher.upload(RELEASES, &form(&wrong, &upload)).await;
        assert_eq!(refused.refusal(), "422 manifest_mismatch");
        let published = publisher.upload(RELEASES, &form(&firmware, &upload)).await;
        assert_eq!(published.expect_status(201).json()["sha256"], firmware.sha256().to_string());
        assert_eq!(app.stored_images(), [firmware.sha256().to_string()]);
        let image = app.admin().get("/firmware/clock/1.0.5.bin").await;
        assert_eq!(image.body(), firmware.image);
        assert_eq!(publisher.head(&upload).await.status(), 404);
        let again = publisher.upload(RELEASES, &form(&firmware, &upload)).await;
        assert_eq!(again.refusal(), "404 upload_unknown");
        assert!(!app.image_folder().join("uploads").exists(), "no piece is left");
    }

    async fn an_upload_of_other_bytes_is_forgotten(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        let admin = app.admin();
        let upload = begin(&admin, &firmware).await.header("location").to_owned();
        let mut other = firmware.image.clone();
        other[5] ^= 1;
        append(&admin, &upload, 0, Body::from(other)).await.expect_status(204);
        let refused = admin.upload(RELEASES, &form(&firmware, &upload)).await;
        assert_eq!(refused.refusal(), "422 upload_corrupt");
        assert_eq!(admin.head(&upload).await.status(), 404);
    }

    async fn what_is_no_upload_is_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        let admin = app.admin();
        let of_length = async |length: &str| {
            admin.clone().with_header("upload-length", length).post(UPLOADS, json!({})).await.refusal()
        };
        assert_eq!(of_length("many").await, "400 invalid_header");
        assert_eq!(of_length("0").await, "400 invalid_field");
        assert_eq!(of_length("67108865").await, "413 body_too_large");
        assert_eq!(admin.post(UPLOADS, json!({})).await.refusal(), "400 invalid_header");
        let upload = begin(&admin, &firmware).await.header("location").to_owned();
        let newer = admin.clone().with_header("tus-resumable", "2.0.0");
        assert_eq!(newer.head(&upload).await.status(), 412);
        let json = admin.patch(&upload, json!({})).await;
        assert_eq!(json.refusal(), "415 unsupported_media_type");
        let long = append(&admin, &upload, 0, Body::from(vec![0; 100_001])).await;
        assert_eq!(long.refusal(), "409 upload_offset");
        let both = [&form(&firmware, &upload)[..], &[("image", b"x")]].concat();
        assert_eq!(admin.upload(RELEASES, &both).await.refusal(), "400 invalid_body");
        let foreign = app.foreign_admin().await;
        assert_eq!(append(&foreign, &upload, 0, Body::empty()).await.refusal(), "404 upload_unknown");
        let viewer = app.person("viewer@example.org", "viewer").await;
        assert_eq!(append(&viewer, &upload, 0, Body::empty()).await.refusal(), "403 forbidden");
        admin.delete(&upload).await.expect_status(204);
        assert_eq!(admin.delete(&upload).await.refusal(), "404 upload_unknown");
    }

    async fn a_private_key_sent_in_pieces_is_not_kept(app: TestApp) {
        let admin = app.admin();
        let key = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
        // At once, and in pieces of which none looks like a key.
        for piece in [key.len(), 20] {
            let begun = admin.clone().with_header("upload-length", &key.len().to_string());
            let upload = begun.post(UPLOADS, json!({})).await.expect_status(201);
            let upload = upload.header("location").to_owned();
            let mut refusals = Vec::new();
            for (at, bytes) in key.chunks(piece).enumerate() {
                let sent = append(&admin, &upload, at * piece, Body::from(bytes.to_vec())).await;
                if sent.status() != 204 {
                    refusals.push(sent.refusal());
                    break;
                }
            }
            assert_eq!(refusals, ["422 private_key_refused"], "pieces of {piece} bytes");
            assert_eq!(admin.head(&upload).await.status(), 404);
            assert!(!app.image_folder().join("uploads").exists(), "nothing of it is left");
        }
    }

    async fn an_upload_comes_in_few_short_pieces(app: TestApp) {
        let admin = app.admin();
        let begun = admin.clone().with_header("upload-length", "200000");
        let upload = begun.post(UPLOADS, json!({})).await.expect_status(201);
        let upload = upload.header("location").to_owned();
        append(&admin, &upload, 0, Body::from(vec![1; 10])).await.expect_status(204);
        // As 999 more of them would leave it.
        let folder = app.image_folder().join("uploads").join(upload.rsplit('/').next().unwrap());
        for number in 0..999 {
            std::fs::write(folder.join(format!("{:012}-{:012}-{number}", 0, 10)), [1; 10]).unwrap();
        }
        let one_more = append(&admin, &upload, 10, Body::from(vec![1; 65_535])).await;
        assert_eq!(one_more.refusal(), "422 upload_piece_short");
        let problem = one_more.json();
        expect![[r#""65535 bytes" "at least 65536 bytes, or all that is left""#]]
            .assert_eq(&format!("{} {}", problem["found"], problem["expected"]));
        assert_eq!(offset(&admin, &upload).await, "10");
        append(&admin, &upload, 10, Body::from(vec![1; 199_000])).await.expect_status(204);
        append(&admin, &upload, 199_010, Body::from(vec![1; 990])).await.expect_status(204);
        assert_eq!(offset(&admin, &upload).await, "200000");
    }

    async fn uploads_that_stand_still_are_forgotten(app: TestApp) {
        let admin = app.admin();
        for _ in 0..32 {
            let begun = admin.clone().with_header("upload-length", "9");
            let begun = begun.post(UPLOADS, json!({})).await.expect_status(201);
            let body = Body::from_stream(stream::iter([Ok::<_, Infallible>("123")]));
            append(&admin, begun.header("location"), 0, body).await.expect_status(204);
        }
        let full = admin.clone().with_header("upload-length", "9");
        let refused = full.post(UPLOADS, json!({})).await;
        assert_eq!(refused.refusal(), "429 too_many_uploads");
        assert_eq!(refused.header("retry-after"), "86400");
        app.advance(Duration::from_secs(25 * 60 * 60));
        assert_eq!(trim(&app.operations).await.unwrap(), 32);
        full.post(UPLOADS, json!({})).await.expect_status(201);
        assert!(!app.image_folder().join("uploads").exists());
    }
}
