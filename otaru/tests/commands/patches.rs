use std::fs;

use otaru_release::{Chip, Image, ImageBuilder};
use serde_json::Value;

use super::Desk;

const LIST: [&str; 5] = ["release", "patch", "list", "--product", "clock"];
const EXPORT: [&str; 4] = ["release", "patch", "export", "--esp-delta-ota"];

impl Desk {
    /// A release that differs from others in little more than its version.
    async fn publish_similar(&self, version: &str) -> Vec<u8> {
        let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(200_000).version(version).build();
        let file = self.write(&format!("{version}.bin"), &image);
        let what = ["release", "publish", &file, "--product", "clock", "--version", version];
        self.done(&[&what[..], &["--key", &self.path("keys/release.key")]].concat()).await;
        image
    }

    /// The patches to a release, once none is wanted any more.
    async fn made_patches(&self, version: &str) -> Value {
        loop {
            let listed = self.done(&[&LIST[..], &[version]].concat()).await;
            let items = listed["items"].as_array().unwrap();
            let is_open = |item: &Value| item["state"] == "waiting" || item["state"] == "running";
            if !items.is_empty() && !items.iter().any(is_open) {
                return listed;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_are_made_and_shown_on_sqlite() {
    let desk = Desk::start().await;
    let image = desk.publish_similar("1.0.5").await;
    let made = desk.made_patches("1.0.5").await;
    assert_eq!(
        (&made["items"][0]["state"], &made["items"][0]["base"]),
        (&"ready".into(), &Value::Null)
    );
    let table = desk.table(&[&LIST[..], &["1.0.5"]].concat()).await;
    let lines: Vec<&str> = table.lines().collect();
    let columns = lines[0].split_whitespace().collect::<Vec<_>>();
    assert_eq!(columns, ["FROM", "CODEC", "STATE", "SIZE", "SHARE", "WHY", "NEXT", "TRY"]);
    assert!(lines[1].starts_with("nothing (packed image)  lzma-4k  ready  "), "{table}");
    assert!(lines[1].ends_with(" %  -    -") && lines.len() == 2, "{table}");
    desk.refused(&[&LIST[..], &["9"]].concat(), 4, "release_unknown").await;
    // The image itself stays what it was.
    let out = desk.path("server/blobs");
    let digest = otaru_wire::Digest::of(&image).to_string();
    assert_eq!(fs::read(format!("{out}/{digest}")).unwrap(), image);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_for_other_devices_is_made_at_the_desk_on_sqlite() {
    let desk = Desk::start_with("[patches]\nenabled = false\n").await;
    let old = desk.publish_similar("1.0.4").await;
    desk.publish_similar("1.0.5").await;
    let (of_versions, of_files) = (desk.path("versions.patch"), desk.path("files.patch"));
    let versions = ["--from", "1.0.4", "--to", "1.0.5", "--product", "clock", "--out"];
    let said = desk.done(&[&EXPORT[..], &versions, &[&of_versions]].concat()).await;
    let running = Image::running_digest(&old).unwrap();
    assert_eq!(said["from"]["running_sha256"], running.to_string());
    let (from, to) = (desk.path("1.0.4.bin"), desk.path("1.0.5.bin"));
    let files = ["--from", &from, "--to", &to, "--out", &of_files];
    desk.done(&[&EXPORT[..], &files].concat()).await;
    let patch = fs::read(&of_versions).unwrap();
    assert_eq!(patch, fs::read(&of_files).unwrap());
    assert_eq!(said["size"], patch.len());
    assert_eq!(patch[4..36], running.as_bytes()[..]);
    assert!(patch.len() < 10_000, "{} bytes", patch.len());

    let refused = async |from: &str, more: &[&str], code, said: &str| {
        let to = ["--from", from, "--to", &to];
        desk.refused(&[&EXPORT[..], &to, more].concat(), code, said).await;
    };
    refused("1.0.4", &[], 2, "as the version of a release it needs --product").await;
    refused("/none", &["--product", "clock"], 2, "and no version of a release").await;
    refused("9", &["--product", "clock"], 4, "release_unknown").await;
    let text = desk.write("notes.txt", "Ticks.");
    refused(&text, &[], 1, "esp_delta_ota is for images of ESP-IDF").await;
    let other = ImageBuilder::new(Chip::Esp32C6).build();
    refused(&desk.write("c6.bin", other), &[], 2, "--from is for esp32c6").await;
}
