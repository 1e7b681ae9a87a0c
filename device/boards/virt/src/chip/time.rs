//! The timer: ten ticks a microsecond, from zero at each reset.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use super::{peek, poke};

const COMPARE: usize = 0x0200_4000;
const NOW: usize = 0x0200_BFF8;
const TICKS_PER_US: u64 = 10;

/// Ticks since the reset.
fn ticks() -> u64 {
    loop {
        let high: u32 = peek(NOW + 4);
        let low: u32 = peek(NOW);
        if high == peek(NOW + 4) {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Microseconds since the reset.
pub fn uptime_us() -> u64 {
    ticks() / TICKS_PER_US
}

/// Milliseconds since the reset.
pub fn uptime_ms() -> u64 {
    uptime_us() / 1000
}

struct Clock {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(
    static CLOCK: Clock = Clock { queue: Mutex::new(RefCell::new(Queue::new())) }
);

impl Driver for Clock {
    fn now(&self) -> u64 {
        uptime_us()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow(section).borrow_mut();
            if queue.schedule_wake(at, waker) {
                set_alarm(queue.next_expiration(uptime_us()));
            }
        });
    }
}

/// An alarm in the past goes off at once: none is missed.
fn set_alarm(at_us: u64) {
    let at = at_us.saturating_mul(TICKS_PER_US);
    // The high half first as far away as it goes, so that no alarm goes off in between.
    poke(COMPARE + 4, u32::MAX);
    poke(COMPARE, at as u32);
    poke(COMPARE + 4, (at >> 32) as u32);
}

/// Lets the timer interrupt.
pub fn start() {
    set_alarm(u64::MAX);
    // SAFETY: the handler below takes the interrupt, and nothing relies on there being none.
    unsafe {
        riscv::register::mie::set_mtimer();
        riscv::interrupt::enable();
    }
}

#[unsafe(no_mangle)]
extern "C" fn MachineTimer() {
    critical_section::with(|section| {
        set_alarm(CLOCK.queue.borrow(section).borrow_mut().next_expiration(uptime_us()));
    });
}
