//! The application: a clock that tells the time in phrases, and updates itself.
#![cfg_attr(target_arch = "riscv32", no_std, no_main)]

#[cfg(not(target_arch = "riscv32"))]
fn main() {}

#[cfg(target_arch = "riscv32")]
mod app {
    use embassy_executor::Spawner;
    use esp_hal::clock::CpuClock;
    use otaru_board_esp32::chip::serial::say;
    use otaru_board_esp32::{Product, describe, parts, start};
    use otaru_wire::payload::LogLevel;

    describe!("clock");

    struct Clock;

    impl Product for Clock {
        fn apply_setting(&mut self, name: &str, value: &str) -> bool {
            let phrase = match (name, value) {
                ("phrase_type", "\"classic\"") => "It is half past ten.",
                ("phrase_type", "\"poetic\"") => "The tenth hour leans on its half.",
                _ => return false,
            };
            say(LogLevel::Info, "PHRASE", &[phrase]);
            true
        }
    }

    #[esp_rtos::main]
    async fn main(spawner: Spawner) {
        // At its slowest, which is the default, a start hashes slots for seconds.
        let config = esp_hal::Config::default().with_cpu_clock(CpuClock::max());
        let peripherals = esp_hal::init(config);
        start(spawner, parts!(peripherals), || Clock);
        core::future::pending().await
    }
}
