//! For the chip: what is linked is what is measured, and nothing runs it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod chip {
    use core::alloc::{GlobalAlloc, Layout};
    use core::hint::black_box;
    use core::mem::MaybeUninit;

    use embedded_storage::nor_flash::{
        ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
    };
    use otaru_agent::{Answer, Input, Moment, Payload, ResetCause};
    use otaru_bench_device::{Event, Firmware, Outside};
    use otaru_release::PublicKey;
    use otaru_slots::Slot;
    use otaru_wire::{Reason, ShadowId, ShadowTopic};

    /// Hands out memory and never takes it back: the least an allocator can be.
    struct Bump;

    static mut NEXT: usize = 0x2000_0000;

    // SAFETY: there is one thread, and addresses only rise.
    unsafe impl GlobalAlloc for Bump {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: there is one thread.
            unsafe {
                let start = (NEXT + layout.align() - 1) & !(layout.align() - 1);
                NEXT = start + layout.size();
                start as *mut u8
            }
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[global_allocator]
    static HEAP: Bump = Bump;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    /// A driver that does nothing the optimiser could know of.
    struct Chip;

    #[derive(Debug)]
    struct Failed;

    impl NorFlashError for Failed {
        fn kind(&self) -> NorFlashErrorKind {
            NorFlashErrorKind::Other
        }
    }

    impl ErrorType for Chip {
        type Error = Failed;
    }

    fn driver(offset: u32) -> Result<(), Failed> {
        if black_box(offset) == u32::MAX { Err(Failed) } else { Ok(()) }
    }

    impl ReadNorFlash for Chip {
        const READ_SIZE: usize = 4;

        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
            black_box(bytes);
            driver(offset)
        }

        fn capacity(&self) -> usize {
            4 << 20
        }
    }

    impl NorFlash for Chip {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 4096;

        fn erase(&mut self, from: u32, _: u32) -> Result<(), Failed> {
            driver(from)
        }

        fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
            black_box(bytes);
            driver(offset)
        }
    }

    /// A network that does nothing the optimiser could know of.
    struct Network;

    impl Outside for Network {
        fn publish(&mut self, topic: &[&str], payload: Payload<'_>) {
            black_box(topic);
            payload.write(&mut |piece| {
                black_box(piece);
            });
        }

        fn subscribe(&mut self, shadow: &ShadowId, topics: &[ShadowTopic]) {
            for topic in topics {
                black_box(shadow.topic_pieces(*topic));
            }
        }

        fn document(&mut self, path: &[&str], room: &mut [u8]) -> Option<usize> {
            black_box((path, room));
            black_box(None)
        }

        fn image(&mut self, path: &[&str], offset: u64) -> Answer<'_> {
            black_box((path, offset));
            black_box(Answer::default())
        }

        fn part(&mut self) -> &[u8] {
            black_box(&[])
        }

        fn nonce(&mut self) -> [u8; 16] {
            black_box([0; 16])
        }

        fn self_test(&mut self) -> bool {
            black_box(true)
        }
    }

    fn event() -> Event<'static> {
        match black_box(0) {
            0 => Event::Input(Input::LinkUp),
            1 => Event::Input(Input::LinkDown),
            2 => Event::Input(Input::Subscribed),
            3 => Event::Input(Input::TimePassed),
            4 => Event::Input(Input::SelfTestEnded(Err(Reason::SelfTestTimedOut))),
            _ => Event::Message { topic: black_box(""), payload: black_box(&[]) },
        }
    }

    /// Where the firmware is from the first instruction to the last: what it takes is counted.
    static mut FIRMWARE: MaybeUninit<Firmware<Chip, Network>> = MaybeUninit::uninit();

    fn run() -> Option<()> {
        let now = || black_box(Moment::default());
        let key = PublicKey::from_bytes(black_box(&[0; 32])).ok()?;
        let slot = if black_box(true) { Slot::Ota0 } else { Slot::Ota1 };
        let reset = black_box(ResetCause::PowerOn);
        let started = Firmware::start(Chip, slot, reset, key, Network, now()).ok()?;
        // SAFETY: there is one thread, and it comes here once.
        let firmware = unsafe { &mut *(&raw mut FIRMWARE) }.write(started?);
        loop {
            black_box(firmware.wake_at_ms());
            if firmware.hear(now(), event()).ok()? {
                return Some(());
            }
        }
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        black_box(run());
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
