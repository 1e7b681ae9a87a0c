use otaru_release::{Chip, ImageBuilder};
use serde_json::{Value, json};

use super::*;

/// Whose maker died is taken over soon.
const SHORT_LEASE: &str = "[patches]\nlease_s = 4\n";

impl House {
    fn similar_image(&self, version: &str, size_bytes: usize) -> (String, Vec<u8>) {
        let image =
            ImageBuilder::new(Chip::Esp32C3).size_bytes(size_bytes).version(version).build();
        let path = self.path(&format!("{version}.bin"));
        fs::write(&path, &image).unwrap();
        (path, image)
    }

    /// Waits until the patches to a release are as wanted.
    async fn until(&self, version: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let path = format!("/api/v1/products/clock/releases/{version}/patches");
        loop {
            let answer = self.api().get(&path).await.unwrap();
            let items = answer.body["items"].as_array().unwrap().clone();
            if is_so(&items) {
                return items;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn are_ready(items: &[Value]) -> bool {
    items.len() == 2 && items.iter().all(|item| item["state"] == "ready")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_makes_patches_makes_them_later_on_sqlite() {
    let mut house = House::start_with(SHORT_LEASE, |_| otaru().to_owned()).await;
    let (old_file, old) = house.similar_image("1.0.4", IMAGE_BYTES);
    let output = house.publish(&old_file, "1.0.4").await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let identity = house.path("clock-01");
    house.done(&["device", "add", "clock-01", "--product", "clock", "--out", &identity]).await;
    let report = json!({ "state": { "reported": { "firmware": {
        "sha256": Digest::of(&old).to_string(), "version": "1.0.4", "slot": "ota_0",
        "state": "confirmed" } } } });
    let reported = house.api().post("/things/clock-01/shadow", &report).await.unwrap();
    assert!(reported.is_acknowledged(), "{reported:?}");
    let (file, image) = house.similar_image("1.0.5", IMAGE_BYTES);
    let output = house.publish(&file, "1.0.5").await;
    assert_eq!(output.code, 0, "{}", output.stderr);

    let is_running = |items: &[Value]| items.iter().any(|item| item["state"] == "running");
    for _ in 0..2 {
        let is_due = |items: &[Value]| is_running(items) || are_ready(items);
        house.until("1.0.5", is_due).await;
        house.server.kill().await.unwrap();
        house.server.start().await.unwrap();
        house.assert_images_are_whole();
    }
    house.until("1.0.5", are_ready).await;
    let packed = house.api().bytes("/firmware/clock/1.0.5.patch").await.unwrap();
    assert_eq!(otaru_patches::apply(b"", &packed).unwrap(), image);
    let path = format!("/firmware/clock/1.0.5.patch?base={}&codec=1", Digest::of(&old));
    let patch = house.api().bytes(&path).await.unwrap();
    assert!(patch.len() * 10 < packed.len());
    assert_eq!(otaru_patches::apply(&old, &patch).unwrap(), image);
    house.assert_images_are_whole();
}

/// An upload that stays takes the room that the packed image needs.
#[tokio::test(flavor = "multi_thread")]
async fn a_patch_without_room_waits_and_says_so_on_sqlite() {
    if std::env::var_os("OTARU_WITHOUT_NAMESPACES").is_some() {
        return;
    }
    let house = House::start_with("", on_a_small_disk).await;
    let token = fs::read_to_string(house.server.admin_token_file()).unwrap();
    let http = reqwest::Client::new();
    let begin = [("upload-length", "1900000".to_owned())];
    let (status, _, location) = house.tus("POST", "/api/v1/uploads", &begin).await;
    assert_eq!(status, 201);
    let sent = http
        .patch(format!("{}{location}", house.server.url()))
        .bearer_auth(token.trim())
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", "0")
        .body(vec![7; 1_450_000]);
    assert_eq!(sent.send().await.unwrap().status(), 204);

    // In one request, so that no pieces of it make room when they go.
    let (file, image) = house.similar_image("1.0.5", 500_000);
    let (key, manifest) = (house.path("keys/release.key"), house.path("manifest"));
    let sign = ["release", "sign", &file, "--product", "clock", "--version", "1.0.5"];
    let how = ["--sequence", "1", "--key", &key, "--out", &manifest];
    house.done(&[&sign[..], &how].concat()).await;
    let part = |bytes: Vec<u8>| reqwest::multipart::Part::bytes(bytes).file_name("x");
    let form = reqwest::multipart::Form::new()
        .part("image", part(image.clone()))
        .part("manifest", part(fs::read(&manifest).unwrap()));
    let releases = format!("{}/api/v1/products/clock/releases", house.server.url());
    let published = http.post(releases).bearer_auth(token.trim()).multipart(form).send().await;
    assert_eq!(published.unwrap().status(), 201);

    let waits = |items: &[Value]| items.iter().any(|item| item["reason"] == "storage_full");
    let listed = house.until("1.0.5", waits).await;
    assert_eq!((&listed[0]["state"], &listed[0]["attempts"]), (&json!("waiting"), &json!(0)));
    assert!(listed[0]["next_try_at"].is_string(), "{listed:?}");
    // Whoever asks for it takes the image.
    let refused = house.api().get("/firmware/clock/1.0.5.patch").await.unwrap();
    assert_eq!(refused.body["code"], "no_patch");
    assert_eq!(house.api().bytes("/firmware/clock/1.0.5.bin").await.unwrap(), image);
}
