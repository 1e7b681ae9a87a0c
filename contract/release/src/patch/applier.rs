//! Makes the new image: packed bytes in, bytes of the image out, in order.

use super::lzma::Lzma;
use super::records::{Records, Step};
use super::window::Window;
use super::{FRAME_BYTES, HEADER_BYTES, PatchError, PatchHeader, SEGMENT_BYTES};

/// Bytes of the base read at once: differences come in runs.
const BLOCK_BYTES: u32 = 64;

/// The image that runs, read at random.
pub trait Base {
    /// Reads `bytes.len()` bytes from `at`; both lie within the image.
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), BaseUnreadable>;
}

/// The base could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseUnreadable;

impl Base for &[u8] {
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), BaseUnreadable> {
        let found = self.get(at as usize..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(found.ok_or(BaseUnreadable)?);
        Ok(())
    }
}

/// How far one call of [`Applier::apply`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Bytes of the patch used.
    pub taken: usize,
    /// Bytes of the image made.
    pub made: usize,
}

/// Where to go on after a cut: at the start of a segment.
///
/// All that a journal must keep of a patch, beside the header. It is trusted for
/// nothing: a wrong one makes wrong bytes, which the signed digests refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The segment to make next; those before it are in the slot.
    pub segment: u32,
    /// Where that segment begins, in bytes from the start of the patch.
    pub offset: u32,
}

impl Checkpoint {
    /// Bytes of [`to_bytes`](Checkpoint::to_bytes).
    pub const LENGTH_BYTES: usize = 8;

    /// As a journal keeps it: two little-endian numbers.
    pub fn to_bytes(self) -> [u8; Checkpoint::LENGTH_BYTES] {
        (u64::from(self.offset) << 32 | u64::from(self.segment)).to_le_bytes()
    }

    /// What [`to_bytes`](Checkpoint::to_bytes) wrote.
    pub fn from_bytes(bytes: [u8; Checkpoint::LENGTH_BYTES]) -> Checkpoint {
        let both = u64::from_le_bytes(bytes);
        Checkpoint { segment: both as u32, offset: (both >> 32) as u32 }
    }

    /// How much of the image is made there.
    pub fn made_bytes(self, header: &PatchHeader) -> u32 {
        self.segment.saturating_mul(SEGMENT_BYTES).min(header.target_bytes)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Done,
    /// Skips the table, which is for those who begin in the middle.
    Table {
        left: u32,
    },
    Frame,
    /// Reads the bytes a segment's codec begins with.
    Begin,
    Segment,
}

/// Makes an image from a base and a patch in a fixed amount of memory: about
/// 3.8 KiB and the dictionary.
///
/// It never writes more than the header's target length, and between two calls
/// never uses more than it was given. What it makes is to be checked by the signed
/// digests before the next segment is begun.
#[derive(Debug)]
pub struct Applier<const DICTIONARY: usize> {
    stage: Stage,
    target_bytes: u32,
    base_bytes: u32,
    segment: u32,
    /// Bytes of the patch used, from its start.
    offset: u32,
    window: Window,
    records: Records,
    block_at: Option<u32>,
    block: [u8; BLOCK_BYTES as usize],
    lzma: Lzma<DICTIONARY>,
}

impl<const DICTIONARY: usize> Default for Applier<DICTIONARY> {
    fn default() -> Self {
        Applier::new()
    }
}

impl<const DICTIONARY: usize> Applier<DICTIONARY> {
    /// An applier with nothing to do, for a place in memory that is set aside for it.
    pub const fn new() -> Applier<DICTIONARY> {
        Applier {
            stage: Stage::Done,
            target_bytes: 0,
            base_bytes: 0,
            segment: 0,
            offset: 0,
            window: Window::new(0),
            records: Records::NONE,
            block_at: None,
            block: [0; BLOCK_BYTES as usize],
            lzma: Lzma::new(),
        }
    }

    /// Begins a patch. Its bytes from [`HEADER_BYTES`] on come next.
    pub fn begin(&mut self, header: &PatchHeader) -> Result<(), PatchError> {
        self.resume(header, Checkpoint { segment: 0, offset: header.body_offset() })?;
        self.stage = Stage::Table { left: header.body_offset() - HEADER_BYTES as u32 };
        self.offset = HEADER_BYTES as u32;
        Ok(())
    }

    /// Goes on with a patch. Its bytes from the checkpoint's offset on come next.
    pub fn resume(&mut self, header: &PatchHeader, from: Checkpoint) -> Result<(), PatchError> {
        self.stage = Stage::Done;
        if header.codec.dictionary_bytes() > DICTIONARY {
            return Err(PatchError::Dictionary);
        }
        if from.segment > header.segments() || from.offset < header.body_offset() {
            return Err(PatchError::Checkpoint);
        }
        self.target_bytes = header.target_bytes;
        self.base_bytes = header.base_bytes;
        self.segment = from.segment;
        self.offset = from.offset;
        self.block_at = None;
        self.await_segment();
        Ok(())
    }

    /// Whether the whole image is made.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Where to go on after a cut, if nothing of the next segment is used yet.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let is_at_start = self.stage == Stage::Done
            || self.stage == Stage::Frame && self.window.is_untouched(FRAME_BYTES as u32);
        is_at_start.then_some(Checkpoint { segment: self.segment, offset: self.offset })
    }

    /// Makes the next bytes of the image.
    ///
    /// Returns when `output` is full, when `patch` is used up, or at the end of a
    /// segment: then there is a [`checkpoint`](Applier::checkpoint), to be kept once
    /// the segment is in flash and its digests are right. After an error only
    /// `begin` and `resume` are left.
    pub fn apply<B: Base>(
        &mut self,
        patch: &[u8],
        base: &mut B,
        output: &mut [u8],
    ) -> Result<Applied, PatchError> {
        let mut applied = Applied { taken: 0, made: 0 };
        let segment = self.segment;
        while self.segment == segment && self.stage != Stage::Done {
            let rest = &patch[applied.taken..];
            let taken = match &mut self.stage {
                Stage::Table { left } => {
                    let taken = rest.len().min(*left as usize);
                    *left -= taken as u32;
                    taken
                }
                _ => self.window.fill(rest),
            };
            applied.taken += taken;
            self.offset = self.offset.saturating_add(taken as u32);
            let made = match self.advance(base, &mut output[applied.made..]) {
                Ok(made) => made,
                Err(error) => {
                    self.stage = Stage::Done;
                    return Err(error);
                }
            };
            match made {
                Some(made) => applied.made += made,
                None if applied.taken == patch.len() || applied.made == output.len() => break,
                None => {}
            }
        }
        Ok(applied)
    }

    /// Does what the bytes at hand allow: bytes made, or nothing before there is
    /// more to read or more room.
    fn advance<B: Base>(
        &mut self,
        base: &mut B,
        output: &mut [u8],
    ) -> Result<Option<usize>, PatchError> {
        match self.stage {
            Stage::Table { left: 0 } => self.stage = Stage::Frame,
            Stage::Frame if self.window.is_whole() => self.open_frame()?,
            Stage::Begin if self.window.is_ready() => {
                self.lzma.begin(&mut self.window)?;
                self.stage = Stage::Segment;
            }
            Stage::Segment if self.records.is_done() && self.window.is_ready() => {
                self.close_segment()?;
            }
            Stage::Segment => return self.unpack(base, output),
            _ => return Ok(None),
        }
        Ok(Some(0))
    }

    fn await_segment(&mut self) {
        let is_done = self.segment.saturating_mul(SEGMENT_BYTES) >= self.target_bytes;
        self.stage = if is_done { Stage::Done } else { Stage::Frame };
        self.window = Window::new(FRAME_BYTES as u32);
    }

    fn open_frame(&mut self) -> Result<(), PatchError> {
        let mut number = || u32::from_le_bytes([(); 4].map(|()| self.window.next()));
        let (packed_bytes, at) = (number(), number());
        // No maker packs a segment into more than twice its length.
        if packed_bytes > 2 * SEGMENT_BYTES {
            return Err(PatchError::Length);
        }
        let left = self.target_bytes - self.segment * SEGMENT_BYTES;
        self.records = Records::new(at, self.base_bytes, left.min(SEGMENT_BYTES))?;
        self.window = Window::new(packed_bytes);
        self.stage = Stage::Begin;
        Ok(())
    }

    fn close_segment(&mut self) -> Result<(), PatchError> {
        self.lzma.finish(&mut self.window);
        if self.lzma.is_copying() || !self.window.is_used_up() {
            return Err(PatchError::LeftOver);
        }
        if self.window.is_overrun() {
            return Err(PatchError::Damaged);
        }
        self.segment += 1;
        self.await_segment();
        Ok(())
    }

    fn unpack<B: Base>(
        &mut self,
        base: &mut B,
        output: &mut [u8],
    ) -> Result<Option<usize>, PatchError> {
        let (mut made, mut used) = (0, false);
        while made < output.len()
            && !self.records.is_done()
            && (self.lzma.is_copying() || self.window.is_ready())
        {
            used = true;
            let byte = self.lzma.next(&mut self.window)?;
            output[made] = match self.records.take(byte)? {
                Step::Number => continue,
                Step::Extra => byte,
                Step::Diff { at } => byte.wrapping_add(self.base_byte(base, at)?),
            };
            made += 1;
        }
        Ok(used.then_some(made))
    }

    fn base_byte<B: Base>(&mut self, base: &mut B, at: u32) -> Result<u8, PatchError> {
        let start = at - at % BLOCK_BYTES;
        if self.block_at != Some(start) {
            let length = BLOCK_BYTES.min(self.base_bytes - start);
            self.block_at = None;
            base.read(start, &mut self.block[..length as usize])
                .map_err(|BaseUnreadable| PatchError::BaseUnreadable)?;
            self.block_at = Some(start);
        }
        Ok(self.block[(at - start) as usize])
    }
}
