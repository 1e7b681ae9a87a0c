//! The bootloader: chooses a slot as `otaru_slots::loader` says, checks its image, starts it.
//!
//! It copies the image to where it runs before it hashes it: what is started is what was checked.
//! It writes nothing but the mark of a try.
#![cfg_attr(target_arch = "riscv32", no_std, no_main)]

#[cfg(not(target_arch = "riscv32"))]
fn main() {}

#[cfg(target_arch = "riscv32")]
mod boot {
    use core::alloc::{GlobalAlloc, Layout as Block};

    use embedded_storage::nor_flash::ReadNorFlash;
    use otaru_board_virt::chip::handover::{self, Cause, Told};
    use otaru_board_virt::chip::nor::Nor;
    use otaru_board_virt::chip::watchdog::Watchdog;
    use otaru_board_virt::chip::{power, read_only, time};
    use otaru_board_virt::partitions::{self, PROOF_BYTES};
    use otaru_board_virt::proof::{self, Refusal};
    use otaru_board_virt::{CHIP_NAME, head, say};
    use otaru_release::PublicKey;
    use otaru_slots::table::{TABLE_BYTES, TABLE_OFFSET};
    use otaru_slots::{Booted, Layout, Slot, loader};
    use riscv as _;
    use sha2::{Digest, Sha256};

    /// Where an image runs.
    const IMAGE: usize = 0x8040_0000;
    /// From here on the firmware has to feed the watchdog. The check of an image takes a part of it.
    const WATCHDOG_MS: u32 = 8000;

    #[riscv_rt::entry]
    fn main() -> ! {
        let mut cause = handover::take_last_words();
        let watchdog = Watchdog::find().map(|mut watchdog| {
            if watchdog.take_cause() {
                cause = Cause::Watchdog;
            }
            watchdog.arm(WATCHDOG_MS);
        });
        let watched = if watchdog.is_some() { "armed" } else { "missing" };
        say!("info", "LOADER_STARTED", "reset": cause.name(), "watchdog": watched);
        match choose() {
            Ok((slot, check_us)) => {
                handover::tell(Told { slot, cause, check_us });
                say!("info", "SLOT_STARTED", "slot": slot.name(), "check_us": check_us);
                jump()
            }
            Err(why) => {
                say!("error", "NOTHING_TO_START", "reason": why);
                power::halt()
            }
        }
    }

    fn choose() -> Result<(Slot, u32), &'static str> {
        let mut flash = Nor::take();
        let root_key = read_only::root_key().ok_or("root_key_missing")?;
        let product = read_only::product().ok_or("product_missing")?;
        let mut table = [0; TABLE_BYTES];
        flash.read(TABLE_OFFSET, &mut table).map_err(|_| "flash_failed")?;
        let layout = partitions::find(&table).map_err(|_| "partition_table")?;
        let mut check_us = 0;
        let booted = loader::start(&mut flash, &layout, |flash, region| {
            let begin = time::uptime_us();
            let slot = [Slot::Ota0, Slot::Ota1].into_iter();
            let Some(slot) = slot.clone().find(|&slot| layout.slot(slot) == region) else {
                return Ok(false);
            };
            let loaded = load(flash, &layout, slot, root_key, product);
            check_us = (time::uptime_us() - begin) as u32;
            if let Err(refusal) = loaded {
                say!("error", "SLOT_REFUSED", "slot": slot.name(), "reason": refusal.word());
            }
            Ok(loaded.is_ok())
        });
        match booted {
            Ok(Booted::Slot(slot)) => Ok((slot, check_us)),
            _ => Err("no_bootable_image"),
        }
    }

    /// Copies a slot's image to where it runs, and checks it there.
    fn load(
        flash: &mut Nor,
        layout: &Layout,
        slot: Slot,
        key: PublicKey,
        product: &str,
    ) -> Result<(), Refusal> {
        let mut bytes = [0; PROOF_BYTES as usize];
        let at = partitions::proof_of(slot).offset;
        flash.read(at, &mut bytes).map_err(|_| Refusal::Flash)?;
        let signed = proof::verify(&bytes, key, product, CHIP_NAME)?;
        let region = layout.slot(slot);
        if signed.size_bytes > region.size || (signed.size_bytes as usize) < head::HEAD_BYTES {
            return Err(Refusal::TooLong);
        }
        // SAFETY: this memory is nobody's, and as long as the longest slot.
        let image = unsafe {
            core::slice::from_raw_parts_mut(IMAGE as *mut u8, signed.size_bytes as usize)
        };
        flash.read(region.offset, image).map_err(|_| Refusal::Flash)?;
        match <[u8; 32]>::from(Sha256::digest(&*image)) == *signed.sha256.as_bytes() {
            true => Ok(()),
            false => Err(Refusal::Digest),
        }
    }

    fn jump() -> ! {
        let entry = IMAGE + head::HEAD_BYTES;
        // SAFETY: what is there was checked, and nothing of this program is used any more.
        unsafe {
            core::arch::asm!("fence.i", "jr {}", in(reg) entry, in("a0") 0, options(noreturn))
        }
    }

    /// Nothing here allocates. Crates that could want somebody to ask.
    struct NoHeap;

    // SAFETY: it gives no block.
    unsafe impl GlobalAlloc for NoHeap {
        unsafe fn alloc(&self, _: Block) -> *mut u8 {
            core::ptr::null_mut()
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Block) {}
    }

    #[global_allocator]
    static HEAP: NoHeap = NoHeap;

    /// The watchdog starts it again.
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        say!("error", "LOADER_PANICKED");
        power::halt()
    }
}
