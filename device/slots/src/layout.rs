//! Where on the chip the slots, the boot selector and Otaru's storage are.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use crate::Slot;
use crate::flash::{self, Region, SECTOR_BYTES};
use crate::table::{
    self, Label, Partition, Role, TABLE_BYTES, TABLE_OFFSET, Table, TableError, kind,
};

/// Label of Otaru's own data partition.
const OTARU_LABEL: &[u8] = b"otaru";
/// Data subtypes from here on are free for products to use.
const FIRST_CUSTOM_SUBTYPE: u8 = 0x40;
/// ESP-IDF maps apps in pages of this many bytes.
const APP_ALIGN: u32 = 0x1_0000;
/// The boot selector has exactly two sectors.
const OTADATA_BYTES: u32 = 2 * SECTOR_BYTES;
/// Length of Otaru's storage in the standard layout.
const STANDARD_OTARU_BYTES: u32 = 0x1_0000;

/// The partitions an update touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Length of the chip in bytes.
    pub flash_bytes: u32,
    /// The boot selector: two sectors.
    pub otadata: Region,
    /// `ota_0` and `ota_1`, by [`Slot::index`].
    pub slots: [Region; 2],
    /// Storage for [`Records`](crate::Records).
    pub otaru: Region,
    /// The image the bootloader falls back to, where a product has one.
    pub factory: Option<Region>,
}

impl Layout {
    /// Slot length of the standard layout of a 4 MiB chip, in bytes.
    pub const STANDARD_SLOT_BYTES: u32 = 0x1E_0000;

    /// The layout simulated devices use: nvs, otadata, phy, two slots, otaru.
    ///
    /// Errors: slots that do not fit the chip or are not whole sectors.
    pub fn standard(flash_bytes: u32, slot_bytes: u32) -> Result<Layout, TableError> {
        let first = Region::new(APP_ALIGN, slot_bytes);
        let second_offset = first.end().checked_next_multiple_of(APP_ALIGN).unwrap_or(u32::MAX);
        let second = Region::new(second_offset, slot_bytes);
        let layout = Layout {
            flash_bytes,
            otadata: Region::new(0xD000, OTADATA_BYTES),
            slots: [first, second],
            otaru: Region::new(second.end(), STANDARD_OTARU_BYTES),
            factory: None,
        };
        layout.check_shapes()?;
        Ok(layout)
    }

    /// Finds the partitions in the table on the chip.
    ///
    /// Errors: an unreadable table; a needed partition that is missing, there
    /// twice, misplaced or overlapped.
    pub fn read<F: ReadNorFlash>(flash: &mut F) -> Result<Layout, TableError> {
        let mut bytes = [0; TABLE_BYTES];
        flash::read(flash, TABLE_OFFSET, &mut bytes)?;
        let flash_bytes = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
        Layout::find(&Table::parse(&bytes)?, flash_bytes)
    }

    /// Finds the partitions in a table for a chip of `flash_bytes`.
    pub fn find(table: &Table<'_>, flash_bytes: u32) -> Result<Layout, TableError> {
        for row in table.partitions().filter(|row| row.kind == kind::APP) {
            let extra = kind::APP_OTA_0 + 2..=kind::APP_OTA_0 + 15;
            if extra.contains(&row.subtype) {
                return Err(TableError::ExtraSlot { found: row.subtype - kind::APP_OTA_0 });
            }
        }
        let factory = table
            .partitions()
            .find(|row| row.kind == kind::APP && row.subtype == kind::APP_FACTORY)
            .map(|row| Region::new(row.offset, row.size));
        let layout = Layout {
            flash_bytes,
            otadata: one(table, Role::OtaData)?,
            slots: [one(table, Role::Ota0)?, one(table, Role::Ota1)?],
            otaru: one(table, Role::Otaru)?,
            factory,
        };
        layout.check_shapes()?;
        layout.check_neighbours(table)?;
        Ok(layout)
    }

    /// The region of a slot.
    pub const fn slot(&self, slot: Slot) -> Region {
        self.slots[slot.index()]
    }

    /// Makes a blank chip one with this layout: writes the table, erases the
    /// boot selector and Otaru's storage.
    pub fn write_table<F: NorFlash>(&self, flash: &mut F) -> Result<(), TableError> {
        flash::check_geometry::<F>()?;
        let mut bytes = [0; TABLE_BYTES];
        let mut rows = [row("nvs", kind::DATA, kind::DATA_NVS, Region::new(0x9000, 0x4000)); 7];
        rows[1] = row("otadata", kind::DATA, kind::DATA_OTA, self.otadata);
        rows[2] = row("phy_init", kind::DATA, kind::DATA_PHY, Region::new(0xF000, 0x1000));
        rows[3] = row("ota_0", kind::APP, kind::APP_OTA_0, self.slots[0]);
        rows[4] = row("ota_1", kind::APP, kind::APP_OTA_0 + 1, self.slots[1]);
        rows[5] = row("otaru", kind::DATA, kind::DATA_UNDEFINED, self.otaru);
        let count = match self.factory {
            Some(factory) => {
                rows[6] = row("factory", kind::APP, kind::APP_FACTORY, factory);
                7
            }
            None => 6,
        };
        table::build(&rows[..count], &mut bytes)?;

        flash::erase_sector(flash, TABLE_OFFSET)?;
        flash::write_checked(flash, TABLE_OFFSET, &bytes)?;
        for region in [self.otadata, self.otaru] {
            flash.erase(region.offset, region.end()).map_err(flash::driver_error)?;
        }
        Ok(())
    }

    fn check_shapes(&self) -> Result<(), TableError> {
        let [first, second] = self.slots;
        let app = |region: Region| {
            region.offset.is_multiple_of(APP_ALIGN) && region.size.is_multiple_of(SECTOR_BYTES)
        };
        let sectors = |region: Region| {
            region.offset.is_multiple_of(SECTOR_BYTES) && region.size.is_multiple_of(SECTOR_BYTES)
        };
        for (role, region, fits) in [
            (Role::Ota0, first, app(first)),
            (Role::Ota1, second, app(second)),
            (Role::OtaData, self.otadata, self.otadata.size == OTADATA_BYTES),
            (Role::Otaru, self.otaru, true),
        ] {
            let Region { offset, size } = region;
            if !fits || !sectors(region) || size == 0 {
                return Err(TableError::Shape { role, offset, size });
            }
            if offset.checked_add(size).is_none_or(|end| end > self.flash_bytes) {
                let end = region.end();
                return Err(TableError::PastEnd { role, end, flash_bytes: self.flash_bytes });
            }
        }
        Ok(())
    }

    /// Nothing else may lie in what an update erases.
    fn check_neighbours(&self, table: &Table<'_>) -> Result<(), TableError> {
        let [first, second] = self.slots;
        let ours = [
            (Role::Ota0, first),
            (Role::Ota1, second),
            (Role::OtaData, self.otadata),
            (Role::Otaru, self.otaru),
        ];
        let table_sector = Region::new(TABLE_OFFSET, SECTOR_BYTES);
        for (role, region) in ours {
            if region.overlaps(table_sector) {
                return Err(TableError::Overlap { role, other: TABLE_OFFSET });
            }
            for row in table.partitions().filter(|row| role_of(row) != Some(role)) {
                if region.overlaps(Region::new(row.offset, row.size)) {
                    return Err(TableError::Overlap { role, other: row.offset });
                }
            }
        }
        Ok(())
    }
}

/// The one partition with that role.
#[inline(never)] // A chip has room for it once.
fn one(table: &Table<'_>, role: Role) -> Result<Region, TableError> {
    let mut found = table.partitions().filter(|row| role_of(row) == Some(role));
    let row = found.next().ok_or(TableError::Missing(role))?;
    match found.next() {
        None => Ok(Region::new(row.offset, row.size)),
        Some(_) => Err(TableError::Twice(role)),
    }
}

fn role_of(row: &Partition) -> Option<Role> {
    let custom = row.subtype == kind::DATA_UNDEFINED || row.subtype >= FIRST_CUSTOM_SUBTYPE;
    match row.kind {
        kind::APP if row.subtype == kind::APP_OTA_0 => Some(Role::Ota0),
        kind::APP if row.subtype == kind::APP_OTA_0 + 1 => Some(Role::Ota1),
        kind::DATA if row.subtype == kind::DATA_OTA => Some(Role::OtaData),
        kind::DATA if custom && row.label.as_bytes() == OTARU_LABEL => Some(Role::Otaru),
        _ => None,
    }
}

fn row(label: &str, kind: u8, subtype: u8, region: Region) -> Partition {
    let label = Label::new(label).expect("the labels of this module are short");
    Partition { kind, subtype, offset: region.offset, size: region.size, label, flags: 0 }
}
