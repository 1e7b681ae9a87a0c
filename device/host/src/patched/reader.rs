//! The bytes of a patch in order: header, the table's one entry that is needed, segments.

use otaru_release::patch::{
    Applied, Applier, Base, Checkpoint, HEADER_BYTES, PatchError, PatchHeader, SEGMENT_BYTES,
};
use otaru_wire::Digest;

use super::ETag;

/// Bytes that are read and left: less than another request costs.
const FAR_BYTES: u32 = 4096;

/// What a patch has to make, and from what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) target: Digest,
    pub(super) target_bytes: u32,
    pub(super) base: Digest,
    pub(super) base_bytes: u32,
}

impl Wanted {
    /// Bytes of header and table of every patch that makes the target.
    pub(super) fn body_offset(&self) -> u32 {
        HEADER_BYTES as u32 + 4 * self.target_bytes.div_ceil(SEGMENT_BYTES)
    }
}

/// Which bytes come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    /// The table's entry of that segment.
    Entry(PatchHeader, u32),
    /// Nothing before that offset is needed.
    Seek(u32),
    Make,
}

/// Reads one patch.
#[derive(Debug)]
pub(super) struct Reader<const DICTIONARY: usize> {
    stage: Stage,
    /// Where the next byte stands, from the start of the patch.
    at: u32,
    /// Length of the patch, if it was said.
    pub(super) total: Option<u32>,
    pub(super) etag: ETag,
    head: [u8; HEADER_BYTES],
    entry: [u8; 4],
    /// Bytes the segment makes that stand in the slot already.
    standing: u32,
    applier: Applier<DICTIONARY>,
}

impl<const DICTIONARY: usize> Reader<DICTIONARY> {
    pub(super) const fn new() -> Reader<DICTIONARY> {
        Reader {
            stage: Stage::Header,
            at: 0,
            total: None,
            etag: ETag::NONE,
            head: [0; HEADER_BYTES],
            entry: [0; 4],
            standing: 0,
            applier: Applier::new(),
        }
    }

    /// A patch begins with its first byte.
    pub(super) fn begin(&mut self, total: Option<u32>, etag: ETag) {
        (self.stage, self.at, self.standing) = (Stage::Header, 0, 0);
        (self.total, self.etag) = (total, etag);
    }

    /// The same patch goes on there.
    pub(super) fn goes_on(&mut self, offset: u32) {
        self.at = offset;
    }

    /// Which byte to ask for next.
    pub(super) fn next_offset(&self) -> u32 {
        match self.stage {
            Stage::Header | Stage::Entry(..) => 0,
            Stage::Seek(to) => to,
            Stage::Make => self.at,
        }
    }

    /// Whether it is cheaper to ask for the segments that are needed than to read on.
    pub(super) fn is_far(&self) -> bool {
        matches!(self.stage, Stage::Seek(to) if to - self.at > FAR_BYTES)
    }

    /// Bytes of the patch that came, from its start.
    pub(super) fn at(&self) -> u32 {
        self.at
    }

    /// Whether the segments are being applied.
    pub(super) fn is_making(&self) -> bool {
        self.stage == Stage::Make
    }

    /// Whether it is known where the segments begin that are needed.
    pub(super) fn has_entry(&self) -> bool {
        matches!(self.stage, Stage::Seek(_) | Stage::Make)
    }

    /// Whether no more bytes can come: the body that ended here was all of the patch.
    pub(super) fn is_at_end(&self) -> bool {
        self.total.is_none_or(|total| self.at >= total)
    }

    /// Takes what stands before the segments; the image is right up to `right`.
    pub(super) fn read(
        &mut self,
        part: &[u8],
        right: u32,
        wanted: &Wanted,
    ) -> Result<usize, PatchError> {
        let mut taken = 0;
        while taken < part.len() && self.stage != Stage::Make {
            let rest = &part[taken..];
            let now = match self.stage {
                Stage::Header => self.read_header(rest, right, wanted)?,
                Stage::Entry(header, segment) => self.read_entry(rest, &header, segment, right)?,
                Stage::Seek(to) => (to - self.at).min(rest.len() as u32) as usize,
                Stage::Make => 0,
            };
            taken += now;
            self.at += now as u32;
            if self.stage == Stage::Seek(self.at) {
                self.stage = Stage::Make;
            }
        }
        Ok(taken)
    }

    fn read_header(
        &mut self,
        rest: &[u8],
        right: u32,
        wanted: &Wanted,
    ) -> Result<usize, PatchError> {
        let taken = fill(&mut self.head, self.at as usize, rest);
        if self.at as usize + taken < HEADER_BYTES {
            return Ok(taken);
        }
        let header = PatchHeader::parse(&self.head)?;
        header.check((&wanted.target, wanted.target_bytes), (&wanted.base, wanted.base_bytes))?;
        // Refuses a dictionary that is too large, before anything else is fetched.
        self.applier.begin(&header)?;
        self.stage = match right {
            0 => Stage::Make,
            right => Stage::Entry(header, right / SEGMENT_BYTES),
        };
        Ok(taken)
    }

    fn read_entry(
        &mut self,
        rest: &[u8],
        header: &PatchHeader,
        segment: u32,
        right: u32,
    ) -> Result<usize, PatchError> {
        let entry_at = HEADER_BYTES as u32 + 4 * segment;
        if self.at < entry_at {
            return Ok((entry_at - self.at).min(rest.len() as u32) as usize);
        }
        let within = (self.at - entry_at) as usize;
        let taken = fill(&mut self.entry, within, rest);
        if within + taken == self.entry.len() {
            let offset = u32::from_le_bytes(self.entry);
            if self.total.is_some_and(|total| offset >= total) {
                return Err(PatchError::Checkpoint);
            }
            self.applier.resume(header, Checkpoint { segment, offset })?;
            self.standing = right % SEGMENT_BYTES;
            self.stage = Stage::Seek(offset);
        }
        Ok(taken)
    }

    /// Makes what these bytes of segments allow.
    pub(super) fn apply<B: Base>(
        &mut self,
        part: &[u8],
        base: &mut B,
        made: &mut [u8],
    ) -> Result<Applied, PatchError> {
        let applied = self.applier.apply(part, base, made)?;
        self.at += applied.taken as u32;
        Ok(applied)
    }

    /// Of what was made, what the slot does not hold yet.
    pub(super) fn without_standing<'a>(&mut self, made: &'a [u8]) -> &'a [u8] {
        let standing = made.len().min(self.standing as usize);
        self.standing -= standing as u32;
        &made[standing..]
    }

    /// Whether the whole image is made.
    pub(super) fn is_done(&self) -> bool {
        self.applier.is_done()
    }
}

/// Fills a place from `at` on, and says with how much.
fn fill(place: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let taken = (place.len() - at).min(bytes.len());
    place[at..at + taken].copy_from_slice(&bytes[..taken]);
    taken
}
