//! Which slot runs: asked of the memory mapping, not of what was meant to run.

use otaru_slots::{Layout, Region, Slot};

/// The chip maps flash in pages of this many bytes.
const PAGE_BYTES: u32 = 0x1_0000;

/// The page of flash where the first mapped address of the program is.
#[cfg(feature = "esp32c6")]
fn first_page() -> u32 {
    const ITEM_CONTENT: *const u32 = 0x6000_237C as *const u32;
    const ITEM_INDEX: *mut u32 = 0x6000_2380 as *mut u32;
    const PAGE: u32 = 0x1FF;
    // SAFETY: both are registers of the memory mapping (ESP32-C6 manual, SPI_MEM_MMU_ITEM_*), and
    // nothing else looks at an item at this time: interrupts are not on yet.
    unsafe {
        ITEM_INDEX.write_volatile(0);
        ITEM_CONTENT.read_volatile() & PAGE
    }
}

/// The page of flash where the first mapped address of the program is.
#[cfg(feature = "esp32c3")]
fn first_page() -> u32 {
    const ITEMS: *const u32 = 0x600C_5000 as *const u32;
    const PAGE: u32 = 0xFF;
    // SAFETY: it is the memory mapping's first item, and reading it changes nothing.
    unsafe { ITEMS.read_volatile() & PAGE }
}

/// The slot that runs; `None` for a program that is in none.
pub fn running(layout: &Layout) -> Option<Slot> {
    let page = Region::new(first_page() * PAGE_BYTES, PAGE_BYTES);
    [Slot::Ota0, Slot::Ota1].into_iter().find(|&slot| layout.slot(slot).overlaps(page))
}
