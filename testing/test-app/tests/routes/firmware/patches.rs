use otaru_operations::{DownloadSettings, ImageSource, PatchCodec, PatchSettings};
use otaru_patches::apply;
use otaru_release::patch::PatchHeader;
use otaru_test_app::{Answer, Client, Firmware, TestApp, each_database};
use otaru_wire::Digest;
use serde_json::json;

use crate::api_v1::products::releases::patches::{publish, report, similar};

const PATCH: &str = "/firmware/clock/1.0.5.patch";

/// A device that runs 1.0.4, and 1.0.5 with its patches.
struct House {
    app: TestApp,
    device: Client,
    old: Firmware,
    new: Firmware,
}

impl House {
    async fn new(app: TestApp) -> House {
        app.create_product("clock", "device").await;
        let (old, new) = (similar(&app, "1.0.4", 4), similar(&app, "1.0.5", 5));
        publish(&app, &old).await;
        let device = app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", &old, "confirmed").await;
        publish(&app, &new).await;
        assert_eq!(app.make_patches().await, 3);
        House { app, device, old, new }
    }

    fn path(&self) -> String {
        format!("{PATCH}?base={}&codec=1", self.old.sha256())
    }
}

fn header(answer: &Answer) -> PatchHeader {
    let head = answer.body().first_chunk().expect("a header");
    PatchHeader::parse(head).expect("a patch")
}

each_database! {
    async fn a_device_gets_the_patch_from_what_it_runs(app: TestApp) {
        let House { app: _app, device, old, new } = House::new(app).await;
        let path = format!("{PATCH}?base={}", old.sha256());
        let patch = device.get(&path).await.expect_status(200);
        assert_eq!(patch.header("content-type"), "application/vnd.otaru.patch");
        assert_eq!(patch.header("cache-control"), "private, no-cache");
        let tag = format!("\"{}\"", Digest::of(patch.body()));
        assert_eq!(patch.header("etag"), tag);
        assert_eq!(apply(&old.image, patch.body()).unwrap(), new.image);
        assert_eq!(header(&patch).base, old.sha256());

        let length = patch.body().len();
        let head = device.head(&path).await.expect_status(200);
        assert_eq!((head.body().len(), head.header("content-length")), (0, &*length.to_string()));
        let rest = device.clone().with_header("range", "bytes=80-").with_header("if-range", &tag);
        let rest = rest.get(&path).await.expect_status(206);
        assert_eq!(rest.body(), &patch.body()[80..]);
        assert_eq!(rest.header("content-range"), format!("bytes 80-{}/{length}", length - 1));
        let other = device.clone().with_header("range", "bytes=80-").with_header("if-range", "\"x\"");
        assert_eq!(other.get(&path).await.expect_status(200).body(), patch.body());
        let same = device.clone().with_header("if-none-match", &tag).get(&path).await;
        assert_eq!(same.status(), 304);
    }

    async fn another_base_gets_the_packed_image(app: TestApp) {
        let House { app: _app, device, new, .. } = House::new(app).await;
        let unknown = format!("{PATCH}?base={}&codec=1", Digest::of(b"by cable"));
        for path in [unknown.as_str(), PATCH] {
            let packed = device.get(path).await.expect_status(200);
            assert_eq!(header(&packed).base_bytes, 0);
            assert!(packed.body().len() < new.image.len());
            assert_eq!(apply(b"", packed.body()).unwrap(), new.image);
        }
    }

    /// Our devices on Linux have room for the larger dictionary, and servers make the smaller.
    async fn a_device_with_more_room_gets_what_there_is(app: TestApp) {
        let mut house = House::new(app).await;
        let (small, large) = (house.path(), house.path().replace("codec=1", "codec=2"));
        let patch = house.device.get(&small).await.expect_status(200);
        assert_eq!(house.device.get(&large).await.expect_status(200).body(), patch.body());

        let both = vec![PatchCodec::Lzma4K, PatchCodec::Lzma8K];
        house.app.set_patches(PatchSettings { codecs: both, ..PatchSettings::default() });
        house.app.restart().await;
        publish(&house.app, &similar(&house.app, "1.0.6", 6)).await;
        house.app.make_patches().await;
        for (path, codec) in [(&small, PatchCodec::Lzma4K), (&large, PatchCodec::Lzma8K)] {
            let made = house.device.get(&path.replace("1.0.5", "1.0.6")).await.expect_status(200);
            assert_eq!(header(&made).codec, codec);
        }
    }

    async fn without_a_patch_it_is_told_to_take_the_image(app: TestApp) {
        let mut house = House::new(app).await;
        publish(&house.app, &similar(&house.app, "1.0.6", 6)).await;
        let unmade = house.path().replace("1.0.5", "1.0.6");
        assert_eq!(house.device.get(&unmade).await.refusal(), "404 no_patch");
        let unknown = house.path().replace("1.0.5", "1.0.7");
        assert_eq!(house.device.get(&unknown).await.refusal(), "404 release_unknown");

        house.app.set_patches(PatchSettings { enabled: false, ..PatchSettings::default() });
        house.app.restart().await;
        assert_eq!(house.device.get(&house.path()).await.refusal(), "404 no_patch");
    }

    async fn what_no_device_asks_is_refused(app: TestApp) {
        let house = House::new(app).await;
        for query in ["?base=abc", "?base=", "?codec=3", "?codec=", "?codec=lzma-4k"] {
            let refused = house.device.get(&format!("{PATCH}{query}")).await;
            assert_eq!(refused.refusal(), "400 invalid_query", "{query}");
            assert!(refused.json()["expected"].is_string(), "{refused}");
        }
    }

    async fn a_patch_is_for_who_may_fetch_its_image(app: TestApp) {
        let house = House::new(app).await;
        let (app, path) = (&house.app, house.path());
        app.create_product("lamp", "device").await;
        let lamp = app.add_device("lamp-01", "lamp").await;
        let owner = app.owner("ada@example.org").await;
        for nobody in [app.anonymous(), app.stranger(), lamp, owner] {
            assert_eq!(nobody.get(&path).await.refusal(), "403 download_forbidden");
        }
        app.operator().await.get(&path).await.expect_status(200);
        let link = "/api/v1/products/clock/releases/1.0.5/link";
        let link = app.operator().await.post(link, json!({})).await.expect_status(200).json();
        let (_, query) = link["url"].as_str().unwrap().split_once('?').unwrap();
        app.anonymous().get(&format!("{path}&{query}")).await.expect_status(200);

        // It is no image, and is not sent as one.
        let digest = Digest::of(house.device.get(&path).await.body());
        let blob = house.device.get(&format!("/firmware/blobs/{digest}")).await;
        assert_eq!(blob.refusal(), "404 blob_unknown");
        app.admin().post("/api/v1/products/clock/releases/1.0.5/yank", json!({})).await
            .expect_status(200);
        assert_eq!(house.device.get(&path).await.refusal(), "410 release_yanked");
    }

    async fn a_patch_is_not_from_images_of_others(app: TestApp) {
        let House { app, device, old, new } = House::new(app).await;
        // The same image of another product, and a device of it that says it runs the clock's.
        app.create_product("lamp", "device").await;
        let same = app.keys().sign(new.image.clone(), "lamp", "1.0.5", 5);
        app.admin().upload("/api/v1/products/lamp/releases", &same.form()).await.expect_status(201);
        let lamp = app.add_device("lamp-01", "lamp").await;
        report(&app, "lamp-01", &old, "confirmed").await;
        app.make_patches().await;
        let path = format!("/firmware/lamp/1.0.5.patch?base={}", old.sha256());
        assert_eq!(header(&lamp.get(&path).await.expect_status(200)).base_bytes, 0);
        let listed = app.admin().get("/api/v1/products/lamp/releases/1.0.5/patches").await.json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        let own = device.get(&format!("{PATCH}?base={}", old.sha256())).await;
        assert_eq!(header(&own).base, old.sha256());
    }

    async fn bytes_that_are_gone_are_made_again(app: TestApp) {
        let mut house = House::new(app).await;
        let patch = house.device.get(&house.path()).await.expect_status(200);
        house.app.restart().await;
        let file = house.app.image_folder().join(Digest::of(patch.body()).to_string());
        std::fs::remove_file(file).unwrap();
        let packed = house.device.get(&house.path()).await.expect_status(200);
        assert_eq!(header(&packed).base_bytes, 0);
        assert_eq!(house.app.make_patches().await, 1);
        assert_eq!(house.device.get(&house.path()).await.body(), patch.body());
    }

    async fn a_cdn_has_patches_by_their_digest(app: TestApp) {
        let mut house = House::new(app).await;
        let digest = Digest::of(house.device.get(&house.path()).await.body());
        let source = ImageSource::Cdn("https://cdn.example.com/images/".parse().unwrap());
        house.app.set_downloads(DownloadSettings { source, ..DownloadSettings::default() });
        house.app.restart().await;
        let sent = house.device.get(&house.path()).await.expect_status(302);
        assert_eq!(sent.header("location"), format!("https://cdn.example.com/images/{digest}"));
    }
}
