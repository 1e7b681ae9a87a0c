//! The next packed bytes, so that a symbol is only begun when it can be ended.

/// The most packed bytes that one LZMA symbol takes.
const SYMBOL_BYTES: usize = 20;
const WINDOW_BYTES: usize = 64;

/// A few packed bytes of the current segment.
#[derive(Debug)]
pub(super) struct Window {
    bytes: [u8; WINDOW_BYTES],
    start: usize,
    end: usize,
    /// Bytes of the segment that are not here yet.
    coming: u32,
    /// Whether bytes were asked for that the segment does not have.
    overrun: bool,
}

impl Window {
    /// Waits for `length` bytes.
    pub(super) const fn new(length: u32) -> Window {
        Window { bytes: [0; WINDOW_BYTES], start: 0, end: 0, coming: length, overrun: false }
    }

    /// Takes what there is room for, never past the segment's end, and says how much.
    pub(super) fn fill(&mut self, patch: &[u8]) -> usize {
        if self.end - self.start < SYMBOL_BYTES {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let room = WINDOW_BYTES - self.end;
        let taken = room.min(patch.len()).min(usize::try_from(self.coming).unwrap_or(room));
        self.bytes[self.end..self.end + taken].copy_from_slice(&patch[..taken]);
        self.end += taken;
        self.coming -= taken as u32;
        taken
    }

    /// Whether the next symbol is here whole, or nothing more will come.
    pub(super) fn is_ready(&self) -> bool {
        self.end - self.start >= SYMBOL_BYTES || self.coming == 0
    }

    /// Whether all of it is here.
    pub(super) fn is_whole(&self) -> bool {
        self.coming == 0
    }

    /// Whether nothing of its `length` came yet.
    pub(super) fn is_untouched(&self, length: u32) -> bool {
        self.coming == length
    }

    /// The next byte; zero and a mark behind the segment's end.
    pub(super) fn next(&mut self) -> u8 {
        let Some(&byte) = self.bytes[..self.end].get(self.start) else {
            self.overrun = true;
            return 0;
        };
        self.start += 1;
        byte
    }

    pub(super) fn is_overrun(&self) -> bool {
        self.overrun
    }

    /// Whether every byte of the segment was used.
    pub(super) fn is_used_up(&self) -> bool {
        self.coming == 0 && self.start == self.end
    }
}
