//! Chips of each geometry, as they leave the factory.

use otaru_sim_flash::SimFlash;
use otaru_slots::{Layout, Region, Slot};

use crate::catalogue::catalogue;
use crate::life::Geometry;

impl Geometry {
    /// Where things are.
    pub fn layout(self) -> Layout {
        let small = |slot_bytes: u32, second: u32, otaru: u32| Layout {
            flash_bytes: otaru + 0x4000,
            otadata: Region::new(0xD000, 0x2000),
            slots: [Region::new(0x1_0000, slot_bytes), Region::new(second, slot_bytes)],
            otaru: Region::new(otaru, 0x4000),
            factory: None,
        };
        match self {
            Geometry::Small => small(0x8000, 0x2_0000, 0x2_8000),
            Geometry::ThreeSectors => {
                let small = Geometry::Small.layout();
                Layout { otaru: Region::new(small.otaru.offset, 0x3000), ..small }
            }
            Geometry::TwoChunks => small(0x1_2000, 0x3_0000, 0x4_2000),
            Geometry::Segments => small(0x2_4000, 0x4_0000, 0x6_4000),
            Geometry::Standard => {
                Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES).expect("a layout that fits")
            }
        }
    }

    /// A chip with this release in its first slot.
    pub fn chip<const UNIT: usize>(self, factory: usize) -> SimFlash<UNIT> {
        let image = &catalogue().releases[factory].image;
        let layout = self.layout();
        let mut chip = SimFlash::new(layout.flash_bytes as usize);
        layout.write_table(&mut chip).expect("a blank chip takes a table");
        chip.load(layout.slot(Slot::Ota0).offset, image);
        chip
    }
}
