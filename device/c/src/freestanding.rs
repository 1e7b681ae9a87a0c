//! Where there is no std: memory and the end of everything are C's.
#![expect(unsafe_code, reason = "an allocator is unsafe by its nature")]

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;

unsafe extern "C" {
    fn malloc(bytes: usize) -> *mut c_void;
    fn free(block: *mut c_void);
    fn abort() -> !;
}

/// What C's malloc aligns to on every chip we know.
const ALIGN: usize = 8;

struct C;

// SAFETY: malloc's blocks are as long and as aligned as asked for, and free takes them back.
unsafe impl GlobalAlloc for C {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN {
            return core::ptr::null_mut();
        }
        // SAFETY: malloc takes any length.
        unsafe { malloc(layout.size()).cast() }
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the block is malloc's.
        unsafe { free(block.cast()) }
    }
}

#[global_allocator]
static HEAP: C = C;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it does not return.
    unsafe { abort() }
}
