//! For the chip: what is linked is what is measured, and nothing runs it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod chip {
    use core::alloc::{GlobalAlloc, Layout};
    use core::hint::black_box;

    use otaru_verifier::{Documents, installs};

    /// Hands out memory and never takes it back: the least an allocator can be.
    struct Bump;

    static mut NEXT: usize = 0x2000_0000;

    // SAFETY: there is one thread, and addresses only rise.
    unsafe impl GlobalAlloc for Bump {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
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

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let nothing: &[u8] = black_box(&[]);
        let documents = Documents { root: nothing, manifest: nothing, order: Some(nothing) };
        black_box(installs(nothing, &documents, black_box(&[0; 16])));
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
