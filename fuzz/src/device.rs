//! Decoders of `device/slots`: whatever a worn or foreign flash may hold.

use otaru_slots::{
    KEYS, Layout, MAX_VALUE_BYTES, OtaData, Records, Region, SECTOR_BYTES, Slot, boot, image,
    otadata as selector, table,
};

use crate::flash::{CHIP_BYTES, WindowFlash};

/// The records partition under attack.
pub(crate) const RECORDS: Region = Region::new(0x1_0000, 3 * SECTOR_BYTES);

pub(crate) fn layout() -> Layout {
    Layout::standard(CHIP_BYTES, Layout::STANDARD_SLOT_BYTES).expect("the standard layout fits")
}

/// The partition table.
pub(crate) fn partition_table(bytes: &[u8]) -> bool {
    let mut whole = [0xFF; table::TABLE_BYTES];
    let length = bytes.len().min(whole.len());
    whole[..length].copy_from_slice(&bytes[..length]);
    let Ok(table) = table::Table::parse(&whole) else { return false };
    let Ok(layout) = Layout::find(&table, CHIP_BYTES) else { return false };
    let slots = [Slot::Ota0, Slot::Ota1].map(|slot| layout.slot(slot));
    assert!(!slots[0].overlaps(slots[1]));
    assert!(slots.iter().all(|slot| slot.end() <= CHIP_BYTES));
    true
}

/// The boot selector: both entries, as the bootloader and the agent take them.
pub(crate) fn otadata(bytes: &[u8]) -> bool {
    let layout = layout();
    let flash = || {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let mut content = first[..first.len().min(SECTOR_BYTES as usize)].to_vec();
        content.resize(SECTOR_BYTES as usize, 0xFF);
        content.extend_from_slice(&second[..second.len().min(SECTOR_BYTES as usize)]);
        WindowFlash::new(layout.otadata.offset, 2 * SECTOR_BYTES, &content)
    };
    let found = OtaData::read(&mut flash(), &layout).expect("reading memory does not fail");
    if let Some(active) = found.active() {
        assert_eq!(found.active_slot(), Some(found.entries[active].slot()));
    }
    let booted = boot::boot(&mut flash(), &layout, |_, _| Ok(true));
    booted.expect("with images in both slots something boots");
    for slot in [Slot::Ota0, Slot::Ota1] {
        let _ = selector::mark_valid(&mut flash(), &layout, slot);
        let _ = selector::mark_invalid(&mut flash(), &layout, slot);
        let mut armed = flash();
        if selector::prepare(&mut armed, &layout, slot).is_ok() {
            let kept = OtaData::read(&mut armed, &layout).expect("reading memory does not fail");
            assert_eq!(kept.active_slot(), Some(slot));
        }
    }
    found.active().is_some()
}

/// The records partition: journal, settings, outbox, logs.
pub(crate) fn records(bytes: &[u8]) -> bool {
    let mut flash = WindowFlash::new(RECORDS.offset, RECORDS.size, bytes);
    let (mut records, _) =
        Records::open(&mut flash, RECORDS).expect("no content of the partition is an error");
    let mut value = [0; MAX_VALUE_BYTES];
    let mut found = 0;
    for key in 0..KEYS {
        found += usize::from(matches!(records.get(&mut flash, key, &mut value), Ok(Some(_))));
    }
    if records.put(&mut flash, 3, b"kept").is_ok() {
        let (again, _) = Records::open(&mut flash, RECORDS).expect("it was just open");
        let kept = again.get(&mut flash, 3, &mut value).expect("reading memory does not fail");
        assert_eq!(kept, Some(b"kept".as_slice()));
    }
    found > 0
}

/// The image in a slot, as the bootloader checks it.
pub(crate) fn slot_image(bytes: &[u8]) -> bool {
    let region = Region::new(0x1_0000, 0x4000);
    let mut flash = WindowFlash::new(region.offset, region.size, bytes);
    match image::verify(&mut flash, region, None) {
        Ok(length) => {
            assert!(length <= region.size);
            true
        }
        Err(_) => false,
    }
}
