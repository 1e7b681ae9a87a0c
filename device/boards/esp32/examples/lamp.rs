//! A product of your own: a lamp on a pin, whose owner says whether it shines.
//!
//! `OTARU_FIRMWARE_VERSION=1.0.0 cargo build --release --package otaru-board-esp32 --features esp32c6
//! --target riscv32imac-unknown-none-elf --example lamp`
#![cfg_attr(target_arch = "riscv32", no_std, no_main)]

#[cfg(not(target_arch = "riscv32"))]
fn main() {}

#[cfg(target_arch = "riscv32")]
mod lamp {
    use embassy_executor::Spawner;
    use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
    use embassy_sync::signal::Signal;
    use embassy_time::Timer;
    use esp_hal::clock::CpuClock;
    use esp_hal::gpio::{Level, Output, OutputConfig};
    use otaru_board_esp32::{Product, describe, parts, start};
    use otaru_wire::Reason;

    // Its name at the server, and its version: `OTARU_FIRMWARE_VERSION`, or the crate's.
    describe!("lamp");

    /// How often it blinks in a second: what its owner wished last.
    static BLINKS: Signal<CriticalSectionRawMutex, u64> = Signal::new();

    struct Lamp;

    impl Product for Lamp {
        // Values come as JSON. What is not taken shows as refused, with the old value in force.
        fn apply_setting(&mut self, name: &str, value: &str) -> bool {
            match (name, value.parse()) {
                ("blinks_per_s", Ok(blinks @ 1..=20)) => {
                    BLINKS.signal(blinks);
                    true
                }
                _ => false,
            }
        }

        // Asked once behind an update. An error brings back what ran before.
        fn self_test(&mut self) -> Result<(), Reason> {
            Ok(())
        }
    }

    #[embassy_executor::task]
    async fn blink(mut pin: Output<'static>) {
        let mut pause_ms = 500;
        loop {
            pin.toggle();
            Timer::after_millis(pause_ms).await;
            if let Some(blinks) = BLINKS.try_take() {
                pause_ms = 500 / blinks;
            }
        }
    }

    #[esp_rtos::main]
    async fn main(spawner: Spawner) {
        // At its slowest, which is the default, a start hashes slots for seconds.
        let config = esp_hal::Config::default().with_cpu_clock(CpuClock::max());
        let peripherals = esp_hal::init(config);
        start(spawner, parts!(peripherals), || Lamp);
        // An LED with its resistor, to ground.
        let pin = Output::new(peripherals.GPIO4, Level::Low, OutputConfig::default());
        spawner.spawn(blink(pin).expect("spawned once"));
        core::future::pending().await
    }
}
