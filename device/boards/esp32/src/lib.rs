//! A board with an ESP32-C6 or an ESP32-C3: Wi-Fi, flash, watchdog, and the firmware around them.
//!
//! A product is what is its own ([`Product`]), and four lines that start it: see `bin/esp32.rs`, and
//! `examples/lamp.rs` for one with a pin. All that is the chip's is in [`chip`]; what it does with
//! updates is in `otaru-firmware`, the same as on every board.
//!
//! Nothing here was run on a chip yet: `docs/hardware-checklist.md` says what is to be looked at.
#![no_std]

#[cfg(target_arch = "riscv32")]
extern crate alloc;

#[cfg(target_arch = "riscv32")]
mod board;
#[cfg(target_arch = "riscv32")]
pub mod chip;
pub mod memory;
#[cfg(target_arch = "riscv32")]
mod start;

#[cfg(target_arch = "riscv32")]
pub use board::Product;
#[cfg(target_arch = "riscv32")]
pub use otaru_agent::{AgentConfig, Before, DailyWindow, Decision, Hold, Question};
#[cfg(target_arch = "riscv32")]
pub use start::{Parts, buttons, start};

/// What manifests call this chip.
#[cfg(feature = "esp32c3")]
pub const CHIP_NAME: &str = "esp32c3";
/// What manifests call this chip.
#[cfg(not(feature = "esp32c3"))]
pub const CHIP_NAME: &str = "esp32c6";

/// Puts name and version of the product where bootloaders, servers and people look for them.
///
/// The version is `OTARU_FIRMWARE_VERSION` when it is built, else the crate's.
#[cfg(target_arch = "riscv32")]
#[macro_export]
macro_rules! describe {
    ($product:literal) => {
        $crate::esp_bootloader_esp_idf::esp_app_desc!(
            match option_env!("OTARU_FIRMWARE_VERSION") {
                Some(version) => version,
                None => env!("CARGO_PKG_VERSION"),
            },
            $product,
            // The same source makes the same image: no time, no date.
            "00:00:00",
            "1970-01-01",
            "5.5.0",
            $crate::esp_bootloader_esp_idf::MMU_PAGE_SIZE,
            0,
            u16::MAX,
            0
        );
    };
}

#[cfg(target_arch = "riscv32")]
#[doc(hidden)]
pub use esp_bootloader_esp_idf;
