//! Storage that cannot be read is made anew; who the device is stays.

use otaru_release::Behaviour;
use otaru_wire::{Digest, Reason};

use crate::rig::{Rig, image};

async fn survives(reason: Reason, damage: impl FnOnce(&mut [u8])) {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.start();
    rig.online(&mut device).await;
    device.cut_power().await;
    rig.damage_storage(&device, damage);
    device.start();
    let record = rig.logged(&mut device, reason).await;
    assert_eq!(record.code.as_deref(), Some("IO_FAILED"));
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_cannot_be_read_is_made_anew() {
    survives(Reason::StorageUnreadable, |storage| storage.fill(0x5A)).await;
}

/// A sector header of layout 2, as a later firmware may have left it.
#[tokio::test(flavor = "multi_thread")]
async fn storage_of_a_newer_layout_is_made_anew() {
    survives(Reason::StorageNewer, |storage| {
        storage.fill(0xFF);
        for (index, word) in [0x3C5A_A5C3_u32, 2, 1, 1].into_iter().enumerate() {
            storage[index * 4..index * 4 + 4].copy_from_slice(&word.to_le_bytes());
        }
        let seal = crc32c(&storage[..28]).to_le_bytes();
        storage[28..32].copy_from_slice(&seal);
    })
    .await;
}

/// CRC-32C bit by bit, sharing no code with what it checks.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

/// The descriptor says something else than the release, as in every Arduino-built image:
/// it is shown, but not reported as the version, until a wish gives the image its name again.
#[tokio::test(flavor = "multi_thread")]
async fn a_label_lost_with_storage_is_learned_from_the_next_wish() {
    let rig = Rig::start().await;
    let built = image("core-3.1", Behaviour::Pass);
    rig.serve("1.0.5.manifest", rig.manifest("1.0.5", 5, &built).sign(&rig.release_key));
    rig.web.files.lock().unwrap().images.insert("1.0.5".into(), built.into());
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    device.cut_power().await;
    rig.damage_storage(&device, |storage| storage.fill(0x00));
    rig.service.heard.lock().unwrap().shadows.clear();
    device.start();
    let firmware = rig.online(&mut device).await;
    assert_eq!((firmware.version.as_str(), firmware.slot.as_str()), ("core-3.1", "ota_1"));
    assert_eq!(firmware.sha256, rig.image_digest("1.0.5"));
    assert_eq!(rig.shadow(&device).unwrap().reported().get("config"), None);
    let downloads = rig.web.asked().len();
    rig.wish(&device, "1.0.5", "u-2").await;
    assert_eq!(rig.end_of(&mut device, "u-2").await, "confirmed, runs 1.0.5");
    rig.reported(&mut device, "firmware_version", &"1.0.5".into()).await;
    assert_eq!(rig.web.asked().len(), downloads, "it is the same image");
}

/// A release of the same file hashes all of it; what follows the image is part of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_factory_image_is_its_whole_file() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    let mut factory = std::fs::read(device.file("factory.bin")).unwrap();
    factory.resize(factory.len().next_multiple_of(4096), 0xFF);
    std::fs::write(device.file("factory.bin"), &factory).unwrap();
    device.start();
    assert_eq!(rig.online(&mut device).await.sha256, Digest::of(&factory));
}
