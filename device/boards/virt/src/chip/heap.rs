//! The heap, and how much of it was ever in use.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

/// Its length.
pub const BYTES: usize = 160 * 1024;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// A heap that counts.
pub struct Heap(LlffHeap);

impl Heap {
    /// A heap without memory.
    pub const fn empty() -> Heap {
        Heap(LlffHeap::empty())
    }

    /// Gives it memory.
    ///
    /// # Safety
    /// Once, before anything is allocated, and nothing else uses the memory.
    pub unsafe fn init(&self, address: usize, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.0.init(address, bytes) };
    }
}

// SAFETY: it is the heap inside, counted.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
            PEAK.fetch_max(used, Ordering::Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(block, layout) };
    }
}

/// The most bytes that were in use at once.
pub fn peak_bytes() -> usize {
    PEAK.load(Ordering::Relaxed)
}
