//! An allocator that counts what the device has of it, and a look at how deep its stack went.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// In front of every block, so that whoever frees it knows whose it was.
const HEADER_BYTES: usize = 16;
/// No device's stack is deeper.
const STACK_BYTES: usize = 96 * 1024;
const PAINT: u8 = 0xA7;

struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static HEAP: Counting = Counting;

fn with_header(layout: Layout) -> Option<(Layout, usize)> {
    let offset = HEADER_BYTES.max(layout.align());
    let size = layout.size().checked_add(offset)?;
    Some((Layout::from_size_align(size, layout.align().max(HEADER_BYTES)).ok()?, offset))
}

// SAFETY: blocks come from `System`, longer by a header in front that keeps their alignment.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, offset)) = with_header(layout) else { return std::ptr::null_mut() };
        // SAFETY: the length is not 0, and the header lies in the block.
        unsafe {
            let start = System.alloc(whole);
            if start.is_null() {
                return start;
            }
            let is_devices = COUNTS.load(Relaxed);
            if is_devices {
                let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
                PEAK.fetch_max(now, Relaxed);
                LARGEST.fetch_max(layout.size(), Relaxed);
                BLOCKS.fetch_add(1, Relaxed);
            }
            start.add(offset - 1).write(u8::from(is_devices));
            start.add(offset)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((whole, offset)) = with_header(layout) else { return };
        // SAFETY: `alloc` gave the block with this layout, a header in front of it.
        unsafe {
            if block.sub(1).read() == 1 {
                NOW.fetch_sub(layout.size(), Relaxed);
            }
            System.dealloc(block.sub(offset), whole);
        }
    }
}

/// Does the device's work: what it allocates counts.
pub fn devices<T>(work: impl FnOnce() -> T) -> T {
    let before = COUNTS.swap(true, Relaxed);
    let result = work();
    COUNTS.store(before, Relaxed);
    result
}

/// Does the work of the world around it.
pub fn others<T>(work: impl FnOnce() -> T) -> T {
    let before = COUNTS.swap(false, Relaxed);
    let result = work();
    COUNTS.store(before, Relaxed);
    result
}

/// Most bytes the device ever had, its largest block, and how many blocks in all.
pub fn peak() -> (usize, usize, usize) {
    (PEAK.load(Relaxed), LARGEST.load(Relaxed), BLOCKS.load(Relaxed))
}

/// Does some work, and says how many bytes of stack it used.
#[inline(never)]
pub fn stack_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let bottom = paint();
    let result = work();
    let untouched = (0..STACK_BYTES)
        // SAFETY: the bytes are this thread's stack below this frame, painted above. Whatever
        // they hold now, they are bytes.
        .take_while(|&at| unsafe { (bottom as *const u8).add(at).read_volatile() } == PAINT)
        .count();
    (result, STACK_BYTES - untouched)
}

/// Paints the stack below the caller's frame; answers where the paint begins.
#[inline(never)]
fn paint() -> usize {
    let mut area = [0_u8; STACK_BYTES];
    for byte in &mut area {
        // SAFETY: a reference. Volatile, as nobody reads it before it is gone.
        unsafe { std::ptr::write_volatile(byte, PAINT) };
    }
    black_box(area.as_ptr()) as usize
}
