//! Records without room for what must be kept: said, and nothing of before is lost.

use otaru_linux::FileFlash;
use otaru_release::{Behaviour, KeyId, RootDocument};
use otaru_slots::{Layout, Region, SECTOR_BYTES, Slot};
use otaru_wire::Reason;

use crate::chip::Chip;
use crate::rig::{Device, Rig, image};

/// A device whose records have the fewest sectors there may be.
fn device_of_three_sectors(rig: &Rig) -> Device {
    let device = rig.device("clock-01");
    let options = &device.options;
    let mut layout = Layout::standard(options.flash_bytes, options.slot_bytes).unwrap();
    layout.otaru = Region::new(layout.otaru.offset, 3 * SECTOR_BYTES);
    FileFlash::create(&options.flash, options.flash_bytes).unwrap();
    layout.write_table(&mut FileFlash::open(&options.flash).unwrap()).unwrap();
    let mut chip = Chip::read(&options.flash).unwrap();
    let slot = layout.slot(Slot::Ota0).offset as usize;
    let factory = image("1.0.4", Behaviour::Pass);
    chip.0[slot..slot + factory.len()].copy_from_slice(&factory);
    std::fs::write(&options.flash, chip.0).unwrap();
    device
}

/// The second root document, revoking so many keys of old.
fn second_root(rig: &Rig, revoked: u8) -> Vec<u8> {
    let first = RootDocument::first(rig.root_key.public_key(), rig.release_key.public_key());
    let revoked = (0..revoked).map(|number| KeyId([number; 8])).collect();
    RootDocument { number: 2, revoked, ..first }.sign(&rig.root_key)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_installed_under_a_root_that_has_no_room() {
    let rig = Rig::start().await;
    rig.publish("1.0.6", 6, Behaviour::Pass);
    let mut device = device_of_three_sectors(&rig);
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");

    rig.serve("root/2", second_root(&rig, 60));
    rig.wish(&device, "1.0.6", "u-2").await;
    assert_eq!(rig.end_of(&mut device, "u-2").await, "failed storage_full, runs 1.0.5");
    let record = rig.logged(&mut device, Reason::StorageFull).await;
    assert_eq!(record.message, "root or timestamp could not be kept: storage_full");

    // What stood there still does, over a restart: trust, journal, settings and the way on.
    device.cut_power().await;
    rig.serve("root/2", second_root(&rig, 1));
    device.start();
    rig.wish(&device, "1.0.6", "u-3").await;
    assert_eq!(rig.end_of(&mut device, "u-3").await, "confirmed, runs 1.0.6");
}
