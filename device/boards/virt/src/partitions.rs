//! What is where on the flash: an ESP32's 4 MiB, with two partitions of this board's own.

use otaru_slots::table::{Label, Partition, TABLE_BYTES, Table, TableError, build, kind};
use otaru_slots::{Layout, Region, Slot};

/// Length of the flash.
pub const FLASH_BYTES: u32 = 4 << 20;
/// Who the device is: written where it is made, read by the application.
pub const IDENTITY: Region = Region::new(0x9000, 0x4000);
/// The proof of each slot, one behind the other.
pub const PROOFS: Region = Region::new(0x3E_0000, 2 * PROOF_BYTES);
/// Room for one proof.
pub const PROOF_BYTES: u32 = 0x2000;
/// Data subtype of this board's own partitions.
const OWN: u8 = 0x40;

/// Where the proof of a slot is.
pub const fn proof_of(slot: Slot) -> Region {
    Region::new(PROOFS.offset + slot.index() as u32 * PROOF_BYTES, PROOF_BYTES)
}

/// The partitions that updates touch: those of the standard layout.
pub fn layout() -> Result<Layout, TableError> {
    Layout::standard(FLASH_BYTES, Layout::STANDARD_SLOT_BYTES)
}

/// Reads the table that [`write_table`] wrote, and holds it against what this program was built for.
pub fn find(table: &[u8; TABLE_BYTES]) -> Result<Layout, TableError> {
    Layout::find(&Table::parse(table)?, FLASH_BYTES)
}

/// The partition table.
pub fn write_table() -> Result<[u8; TABLE_BYTES], TableError> {
    let layout = layout()?;
    let mut bytes = [0; TABLE_BYTES];
    let row = |label: &str, kind, subtype, region: Region| Partition {
        kind,
        subtype,
        offset: region.offset,
        size: region.size,
        label: Label::new(label).expect("the labels here are short"),
        flags: 0,
    };
    let [first, second] = layout.slots;
    build(
        &[
            row("identity", kind::DATA, OWN, IDENTITY),
            row("otadata", kind::DATA, kind::DATA_OTA, layout.otadata),
            row("ota_0", kind::APP, kind::APP_OTA_0, first),
            row("ota_1", kind::APP, kind::APP_OTA_0 + 1, second),
            row("otaru", kind::DATA, kind::DATA_UNDEFINED, layout.otaru),
            row("proofs", kind::DATA, OWN, PROOFS),
        ],
        &mut bytes,
    )?;
    Ok(bytes)
}
