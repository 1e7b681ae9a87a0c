//! What of the chip's memory is given to what. `make esp32` prints what is left.

/// Memory that the bootloader used, and no program may begin with: the first part of the heap.
pub const RECLAIMED_BYTES: usize = 64_000;
/// The rest of the heap.
pub const HEAP_BYTES: usize = 160 * 1024;
/// Frames that the radio may keep until somebody takes them, and that may wait to be sent. Each is
/// allocated when it is needed, and takes [`FRAME_BYTES`]. The driver would have 32 of both.
pub const FRAMES_KEPT: u8 = 12;
/// Frames that it always has memory for.
pub const FRAMES_READY: u8 = 10;
/// Memory of a frame, as Espressif says.
pub const FRAME_BYTES: usize = 1600;
