//! Updates by the patches that the server makes.

use otaru_release::{Chip, ImageBuilder};

use super::*;

/// Images of one code: all that differs is what says the version.
fn similar(version: &str) -> Vec<u8> {
    ImageBuilder::new(Chip::Esp32C3)
        .project("clock")
        .version(version)
        .seed(4)
        .size_bytes(IMAGE_BYTES)
        .behaviour(Behaviour::Pass)
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_takes_the_patch_that_the_server_made() {
    let site = Site::with_factory_image(&similar("1.0.4")).await;
    let factory = site.fleet.folder().join("clock-1.0.4.bin");
    let mut sim = site.sim(1, &["--product", "clock", "--image", factory.to_str().unwrap()]);
    site.until_told(&mut sim, |told| told["online"] == 1).await;
    site.fleet.console.publish("1.0.5", &similar("1.0.5")).await.unwrap();
    let api = &site.fleet.console.admin_api;
    site.until(&mut sim, async || {
        let made = api.items("/api/v1/products/clock/releases/1.0.5/patches").await.unwrap();
        made.iter().any(|patch| patch["base_version"] == "1.0.4" && patch["state"] == "ready")
    })
    .await;
    site.request_update(1).await;
    site.until_told(&mut sim, |told| told["versions"]["1.0.5"] == 1).await;
    site.until(&mut sim, async || {
        let logs = api.items("/api/v1/devices/sim-0001/logs").await.unwrap();
        logs.iter().any(|log| received(&log["record"]).is_some_and(|bytes| bytes < 10_000))
    })
    .await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
}

/// How many bytes a record says were received for the whole image.
fn received(record: &Value) -> Option<u64> {
    let said = record["message"].as_str()?.strip_prefix("update to 1.0.5: ")?;
    let (received, made) = said.split_once(" bytes received for ")?;
    made.starts_with(&IMAGE_BYTES.to_string()).then(|| received.parse().ok())?
}
