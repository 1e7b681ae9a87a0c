//! From the server into the inactive slot: resumed from what flash holds and the records bound,
//! chunk by chunk against the signed list, counted only when read back.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{Answer, Asked, Fault, Verdict, judge};
use otaru_release::{Chip, ImageHead, Manifest, ManifestView};
use otaru_slots::{
    CHUNK_BYTES, ChunkList, Layout, SECTOR_BYTES, Slot, SlotError, SlotWriter, chunk_is_good,
    otadata, read_slot, resume_point,
};
use otaru_wire::{Digest, Reason};

/// What a dead link is called from here on.
pub(crate) const DOWN: Reason = Reason::LinkDownWhileDownloading;

/// One download of one image into the slot that does not run.
///
/// The host asks [`Download::ask`] for the next request, hands its head to
/// [`Download::answer`], every part of its body to [`Download::part`] and its end to
/// [`Download::body_ended`], until there is nothing more to ask for. Behind each of the latter two
/// stands [`Download::take_progress`]. After an error the download is void; another one begins at
/// what flash holds.
#[derive(Debug)]
pub struct Download {
    layout: Layout,
    running: Slot,
    chip: Chip,
    /// Which one of its host it is.
    pub(crate) number: u32,
    image_bytes: u32,
    digests: Vec<u8>,
    /// Bytes from the image's start whose chunks are right.
    right: u32,
    /// Of these, those that the host was told of.
    told: u32,
    /// Where the body under way begins.
    offset: u32,
    /// The body's first bytes, until the image's own header was seen.
    head: Vec<u8>,
    /// Bytes of the body that stand in flash already.
    skipped: u32,
    writer: Option<SlotWriter>,
    /// Whether the selector was made to name what runs, and nothing else.
    is_prepared: bool,
}

/// How much of an image stands in the slot for good: its chunks up to there were written, read
/// back and found right while power lasted. [`Host::keep_progress`](crate::Host::keep_progress)
/// keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which download of its host it is of.
    pub(crate) number: u32,
    /// Bytes from the image's start: whole chunks of 64 KiB, or all.
    pub(crate) right_bytes: u32,
}

/// What a manifest says of its image, as far as a download is held against it.
#[derive(Clone, Debug)]
pub struct Described {
    pub(crate) sha256: Digest,
    size_bytes: u64,
    /// The digests of its chunks, one behind the other.
    digests: Vec<u8>,
}

impl From<&Manifest> for Described {
    fn from(manifest: &Manifest) -> Described {
        let digests = manifest.chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect();
        Described { sha256: manifest.sha256, size_bytes: manifest.size_bytes, digests }
    }
}

impl From<&ManifestView<'_>> for Described {
    fn from(manifest: &ManifestView<'_>) -> Described {
        let digests = manifest.chunks().as_flattened().to_vec();
        Described { sha256: manifest.sha256(), size_bytes: manifest.size_bytes(), digests }
    }
}

impl Download {
    /// Finds out how much of the slot is right already, of as many bytes as are known to stand
    /// there for good. Nothing of it is erased before the first part came.
    pub fn begin<F: NorFlash>(
        flash: &mut F,
        layout: &Layout,
        running: Slot,
        manifest: impl Into<Described>,
        chip: Chip,
        bound: u32,
    ) -> Result<Download, Fault> {
        let Described { size_bytes, digests, .. } = manifest.into();
        let image_bytes = u32::try_from(size_bytes).map_err(|_| Reason::ImageTooLarge)?;
        let chunks = ChunkList::new(image_bytes, &digests).map_err(reason_of)?;
        let right = resume_point(flash, layout, running.other(), &chunks, bound);
        let right = right.map_err(reason_of)?;
        Ok(Download {
            layout: *layout,
            running,
            chip,
            number: 0,
            image_bytes,
            digests,
            right,
            told: right,
            offset: right,
            head: Vec::new(),
            skipped: 0,
            writer: None,
            is_prepared: false,
        })
    }

    /// The next request: a `Range` from that offset, with `If-Range` of the image's digest,
    /// unless it is 0. `None` when every chunk is right.
    pub fn ask(&self) -> Option<Asked> {
        let asked = Asked { offset: self.right.into(), total: self.image_bytes.into() };
        (self.right < self.image_bytes).then_some(asked)
    }

    /// Bytes from the image's start that were read back and are right.
    pub fn right_bytes(&self) -> u64 {
        self.right.into()
    }

    /// What became right since it was asked last, for
    /// [`Host::keep_progress`](crate::Host::keep_progress). Kept late or never, it costs bytes that
    /// are fetched again behind a cut, and nothing else.
    pub fn take_progress(&mut self) -> Option<Progress> {
        let is_news = self.right > self.told;
        self.told = self.right;
        is_news.then_some(Progress { number: self.number, right_bytes: self.right })
    }

    /// Takes the head of the answer to [`Download::ask`].
    pub fn answer(&mut self, head: Answer<'_>) -> Result<(), Fault> {
        let asked = Asked { offset: self.right.into(), total: self.image_bytes.into() };
        match judge(asked, head) {
            Verdict::Append => self.begin_body(),
            Verdict::FromStart => {
                self.begin_body();
                self.skipped = self.right;
            }
            Verdict::Redirect => return Err(Reason::ServerError.into()),
            Verdict::Fail(fault) => return Err(fault),
        }
        Ok(())
    }

    /// What comes next are the image's bytes behind those that are right, whatever came before.
    pub(crate) fn begin_body(&mut self) {
        self.offset = self.right;
        self.head.clear();
        self.skipped = 0;
        self.writer = None;
    }

    /// [`Download::right_bytes`], as slots count.
    pub(crate) fn right(&self) -> u32 {
        self.right
    }

    /// Length of the image.
    pub(crate) fn image_bytes(&self) -> u32 {
        self.image_bytes
    }

    /// Reads the image that runs.
    pub(crate) fn read_running<F: NorFlash>(
        &self,
        flash: &mut F,
        at: u32,
        bytes: &mut [u8],
    ) -> Result<(), SlotError> {
        read_slot(flash, &self.layout, self.running, at, bytes)
    }

    /// How many bytes of the body end the chunk under way; at least 1. Where parts are no longer, no
    /// more than 64 KiB have to be fetched again behind a cut: what is right is kept behind a part.
    pub fn part_bytes_max(&self) -> usize {
        let writer = self.writer.as_ref();
        let begun = self.offset.saturating_add(self.head.len() as u32);
        let position = writer.map_or(begun, SlotWriter::position);
        let end = self.right.saturating_add(CHUNK_BYTES).min(self.image_bytes);
        let left = end.saturating_sub(position).saturating_add(self.skipped);
        left.max(1) as usize
    }

    /// Takes a part of the body. `tell` hears how many bytes stand in flash, sector by sector.
    pub fn part<F: NorFlash>(
        &mut self,
        flash: &mut F,
        part: &[u8],
        mut tell: impl FnMut(u64),
    ) -> Result<(), Fault> {
        // Sent again by a server that knows no ranges. What is right is written once.
        let known = part.len().min(self.skipped as usize);
        let sectors_left = self.skipped / SECTOR_BYTES;
        self.skipped -= known as u32;
        if self.skipped / SECTOR_BYTES < sectors_left {
            // It gets no further, and is alive.
            tell(self.right.into());
        }
        let part = &part[known..];
        if part.is_empty() {
            return Ok(());
        }
        if self.writer.is_some() {
            return self.write(flash, part, &mut tell);
        }
        // Nothing is erased before the image's own header was seen.
        let enough = ImageHead::SIZE_BYTES.min(self.image_bytes as usize);
        let is_read = self.offset == 0 && self.chip.runs_esp_images();
        // Most parts are longer than that, and need not be copied.
        let is_alone = self.head.is_empty() && part.len() >= enough;
        if !is_alone {
            self.head.extend_from_slice(part);
        }
        let head = core::mem::take(&mut self.head);
        let body = if is_alone { part } else { head.as_slice() };
        if is_read && body.len() < enough {
            self.head = head;
            return Ok(());
        }
        if is_read {
            let chip = ImageHead::chip_of(body).ok_or(Reason::ImageCorrupt)?;
            if chip != self.chip {
                return Err(Reason::WrongChip.into());
            }
        }
        if !self.is_prepared {
            otadata::prepare(flash, &self.layout, self.running).map_err(|_| Reason::FlashFailed)?;
            self.is_prepared = true;
        }
        let target = self.running.other();
        let size = self.image_bytes;
        let writer =
            SlotWriter::begin(flash, &self.layout, self.running, target, size, self.offset);
        self.writer = Some(writer.map_err(reason_of)?);
        self.write(flash, body, &mut tell)
    }

    /// The body is over: checks the last chunk and how far the slot is right now.
    pub fn body_ended<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Fault> {
        if let Some(writer) = self.writer.take()
            && writer.position() == self.image_bytes
        {
            writer.finish(flash).map_err(reason_of)?;
            self.check_next_chunk(flash)?;
        }
        let asked = self.offset;
        self.begin_body();
        // A server may answer a part of the rest. One that brings no chunk further is a link that
        // went down.
        if self.right > asked { Ok(()) } else { Err(DOWN.into()) }
    }

    /// Writes a part sector by sector, reads it back, checks each chunk it completes.
    fn write<F: NorFlash>(
        &mut self,
        flash: &mut F,
        mut part: &[u8],
        tell: &mut impl FnMut(u64),
    ) -> Result<(), Fault> {
        while !part.is_empty() {
            let writer = self.writer.as_mut().ok_or(Reason::Internal)?;
            let before = writer.position();
            let taken = writer.write(flash, part).map_err(|error| match error {
                // More bytes than the signed image has.
                SlotError::PastEnd { .. } => Reason::TooManyBytes,
                error => reason_of(error),
            })?;
            part = &part[taken..];
            let position = writer.position();
            if position / SECTOR_BYTES > before / SECTOR_BYTES {
                self.check_completed_chunk(flash, position)?;
                // That all of it is there is said when the last chunk was checked.
                if position < self.image_bytes {
                    tell(u64::from(position - position % SECTOR_BYTES));
                }
            }
        }
        Ok(())
    }

    fn check_completed_chunk<F: NorFlash>(
        &mut self,
        flash: &mut F,
        position: u32,
    ) -> Result<(), Fault> {
        let end = self.right.saturating_add(CHUNK_BYTES);
        // The last one is flushed where the body ends.
        if position >= end && end < self.image_bytes {
            self.check_next_chunk(flash)?;
        }
        Ok(())
    }

    /// What is right ends with the next chunk, if that is.
    fn check_next_chunk<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Reason> {
        let target = self.running.other();
        let number = self.right / CHUNK_BYTES;
        let good = chunk_is_good(flash, &self.layout, target, &self.chunks()?, number);
        if !good.map_err(reason_of)? {
            return Err(Reason::ImageCorrupt);
        }
        self.right = self.right.saturating_add(CHUNK_BYTES).min(self.image_bytes);
        Ok(())
    }

    fn chunks(&self) -> Result<ChunkList<'_>, Reason> {
        ChunkList::new(self.image_bytes, &self.digests).map_err(reason_of)
    }
}

fn reason_of(error: SlotError) -> Reason {
    match error {
        SlotError::Flash(_) | SlotError::OtaData(_) => Reason::FlashFailed,
        SlotError::ImageSize { .. } => Reason::ImageTooLarge,
        SlotError::ChunkList { .. } => Reason::ManifestInvalid,
        _ => Reason::Internal,
    }
}
