//! From a patch into the inactive slot, on the path of a plain download; and the full image
//! wherever a patch is none or not good.

use core::fmt;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{Answer, Fault};
use otaru_release::patch::{Base, BaseUnreadable, PatchError};
use otaru_wire::{Digest, Reason};

use crate::download::DOWN;
use crate::{Download, Progress};

mod answer;
mod memory;
mod reader;
mod refusal;
mod request;

use answer::{ETag, Verdict, judge};
pub(crate) use memory::PatchMemory;
use reader::{Reader, Wanted};
pub use refusal::{KeptLine, PatchRefusal};
use request::Query;
pub use request::{PatchRange, Request};

/// Bytes made of a patch at once.
const MADE_BYTES: usize = 1024;

/// One download of one image, by patch as long as there is a good one.
///
/// The host asks [`PatchDownload::ask`] for the next request, hands its head to
/// [`PatchDownload::answer`], every part of its body to [`PatchDownload::part`] and its end to
/// [`PatchDownload::body_ended`], until there is nothing more to ask for. Behind each of the latter
/// two stands [`PatchDownload::take_progress`]. Where one of them says [`Flow::Ask`], that body is
/// done with, whatever is left of it. After an error the download is void; another one begins at
/// what flash holds.
#[derive(Debug)]
pub struct PatchDownload<const DICTIONARY: usize> {
    download: Download,
    is_by_patch: bool,
    wanted: Wanted,
    reader: Reader<DICTIONARY>,
    refusal: Option<PatchRefusal>,
    tally: Tally,
    /// Where the image stood when this began.
    began_at: u32,
    /// Where it stood at the last request, and whether that was for the table alone.
    asked_at: u32,
    asked_table: bool,
}

/// Whether the body under way is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Its next part, please.
    Body,
    /// The rest of it is not: [`PatchDownload::ask`] says what is.
    Ask,
}

/// What a download cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes of bodies that came.
    pub received_bytes: u64,
    /// Bytes of the image that became right.
    pub made_bytes: u64,
}

impl<const DICTIONARY: usize> PatchDownload<DICTIONARY> {
    /// Without `base`, the image that runs and its length, no patch is asked for.
    pub(crate) fn new(
        download: Download,
        target: Digest,
        base: Option<(Digest, u32)>,
    ) -> PatchDownload<DICTIONARY> {
        let began_at = download.right();
        let (base, base_bytes) = base.unwrap_or((Digest([0; Digest::LENGTH_BYTES]), 0));
        let target_bytes = download.image_bytes();
        PatchDownload {
            is_by_patch: base_bytes > 0,
            wanted: Wanted { target, target_bytes, base, base_bytes },
            reader: Reader::new(),
            refusal: None,
            tally: Tally::default(),
            began_at,
            asked_at: began_at,
            asked_table: false,
            download,
        }
    }

    /// The next request; `None` when every chunk is right.
    pub fn ask(&self) -> Option<Request> {
        let asked = self.download.ask()?;
        Some(match self.is_by_patch {
            true => Request::Patch(self.range()),
            false => Request::Image(asked),
        })
    }

    fn range(&self) -> PatchRange {
        match self.reader.next_offset() {
            // Behind a cut the table says where to go on: it is fetched alone.
            0 if self.download.right_bytes() > 0 => {
                PatchRange { offset: 0, last: Some(self.wanted.body_offset() - 1) }
            }
            offset => PatchRange { offset, last: None },
        }
    }

    /// What stands behind the `?` of a request for the patch.
    pub fn query(&self) -> impl fmt::Display + use<DICTIONARY> {
        let codec = if DICTIONARY < 8192 { 1 } else { 2 };
        Query { base: self.wanted.base, codec }
    }

    /// `If-Range` of a request for the patch that does not begin at its start.
    pub fn etag(&self) -> Option<&str> {
        self.reader.etag.get()
    }

    /// Bytes from the image's start that were read back and are right.
    pub fn right_bytes(&self) -> u64 {
        self.download.right_bytes()
    }

    /// What became right since it was asked last, as
    /// [`Download::take_progress`](crate::Download::take_progress) says it.
    pub fn take_progress(&mut self) -> Option<Progress> {
        self.download.take_progress()
    }

    /// Why the patch was given up: to be logged, and told to
    /// [`Host::patch_refused`](crate::Host::patch_refused). Said once.
    pub fn refused(&mut self) -> Option<PatchRefusal> {
        self.refusal.take()
    }

    /// What it cost so far.
    pub fn tally(&self) -> Tally {
        let made_bytes = self.download.right_bytes().saturating_sub(self.began_at.into());
        Tally { made_bytes, ..self.tally }
    }

    /// Takes the head of the answer to [`PatchDownload::ask`]; `etag` as it came.
    pub fn answer(&mut self, head: Answer<'_>, etag: Option<&str>) -> Result<Flow, Fault> {
        if !self.is_by_patch {
            return self.download.answer(head).map(|()| Flow::Body);
        }
        self.asked_at = self.download.right();
        let (asked, etag) = (self.range(), ETag::of(etag));
        self.asked_table = asked.last.is_some();
        match judge(asked, self.reader.total, self.wanted.target_bytes, head) {
            Verdict::Begins { total } => {
                // Another patch than the one that was begun begins with its own header.
                self.download.begin_body();
                self.reader.begin(total, etag);
            }
            Verdict::GoesOn if asked.offset > 0 && etag.is_another(&self.reader.etag) => {
                return Ok(self.refuse(PatchRefusal::Answer(Reason::ContentChanged)));
            }
            Verdict::GoesOn => self.reader.goes_on(asked.offset),
            Verdict::NoPatch => {
                self.download.begin_body();
                self.is_by_patch = false;
                return Ok(Flow::Ask);
            }
            Verdict::Refuse(reason) => return Ok(self.refuse(PatchRefusal::Answer(reason))),
            Verdict::Later(fault) => return Err(fault),
        }
        Ok(Flow::Body)
    }

    /// The request for a patch came to nothing that is the link's fault, such as a redirect
    /// that leads nowhere.
    pub fn give_up(&mut self, reason: Reason) -> Flow {
        self.refuse(PatchRefusal::Answer(reason))
    }

    /// How many bytes of the body end the chunk under way, as
    /// [`Download::part_bytes_max`](crate::Download::part_bytes_max) says it; no limit by patch.
    pub fn part_bytes_max(&self) -> usize {
        if self.is_by_patch { usize::MAX } else { self.download.part_bytes_max() }
    }

    /// Takes a part of the body. `tell` hears how many bytes stand in flash, sector by sector.
    pub fn part<F: NorFlash>(
        &mut self,
        flash: &mut F,
        part: &[u8],
        mut tell: impl FnMut(u64),
    ) -> Result<Flow, Fault> {
        self.tally.received_bytes += part.len() as u64;
        if !self.is_by_patch {
            return self.download.part(flash, part, tell).map(|()| Flow::Body);
        }
        match self.read(flash, part, &mut tell) {
            // Behind the table, a client that cannot ask for it alone gets the patch again.
            Ok(()) if self.asked_table && self.reader.is_far() => Ok(Flow::Ask),
            Ok(()) if self.download.ask().is_none() => Ok(Flow::Ask),
            Ok(()) => Ok(Flow::Body),
            Err(Trouble::Refused(refusal)) => Ok(self.refuse(refusal)),
            Err(Trouble::Fault(fault)) => Err(fault),
        }
    }

    /// The body is over.
    pub fn body_ended<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Fault> {
        if !self.is_by_patch {
            return self.download.body_ended(flash);
        }
        if self.reader.is_at_end() {
            self.refuse(PatchError::Damaged.into());
            return Ok(());
        }
        // The table came alone, or a part of the rest that brings a chunk further.
        let is_table = self.asked_table && self.reader.has_entry();
        match is_table || self.download.right() > self.asked_at {
            true => Ok(()),
            false => Err(DOWN.into()),
        }
    }

    fn read<F: NorFlash>(
        &mut self,
        flash: &mut F,
        mut part: &[u8],
        tell: &mut impl FnMut(u64),
    ) -> Result<(), Trouble> {
        // No patch is worth more than its image.
        if part.len() as u64 + u64::from(self.reader.at()) > self.wanted.target_bytes.into() {
            return Err(PatchRefusal::Answer(Reason::TooManyBytes).into());
        }
        let right = self.download.right();
        let was_reading = !self.reader.is_making();
        part = &part[self.reader.read(part, right, &self.wanted)?..];
        if self.reader.is_making() && was_reading {
            self.download.begin_body();
        }
        if self.reader.is_making() { self.make(flash, part, tell) } else { Ok(()) }
    }

    /// Makes what these bytes allow, and writes it.
    fn make<F: NorFlash>(
        &mut self,
        flash: &mut F,
        mut part: &[u8],
        tell: &mut impl FnMut(u64),
    ) -> Result<(), Trouble> {
        let mut made = [0; MADE_BYTES];
        loop {
            let mut base = Running { flash, download: &self.download };
            let applied = self.reader.apply(part, &mut base, &mut made)?;
            part = &part[applied.taken..];
            let fresh = self.reader.without_standing(&made[..applied.made]);
            if !fresh.is_empty() {
                self.download.part(flash, fresh, &mut *tell)?;
            }
            if self.reader.is_done() {
                return Ok(self.download.body_ended(flash)?);
            }
            if applied.made == 0 && part.is_empty() {
                return Ok(());
            }
        }
    }

    /// From here on it is the full image, behind the chunks that are right.
    fn refuse(&mut self, refusal: PatchRefusal) -> Flow {
        self.download.begin_body();
        self.is_by_patch = false;
        self.refusal = Some(refusal);
        Flow::Ask
    }
}

/// The image that runs, as a patch's base.
struct Running<'a, F> {
    flash: &'a mut F,
    download: &'a Download,
}

impl<F: NorFlash> Base for Running<'_, F> {
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), BaseUnreadable> {
        self.download.read_running(self.flash, at, bytes).map_err(|_| BaseUnreadable)
    }
}

/// Why a part brought nothing: the patch's fault, or one that a full image would have as well.
enum Trouble {
    Refused(PatchRefusal),
    Fault(Fault),
}

impl From<PatchRefusal> for Trouble {
    fn from(refusal: PatchRefusal) -> Trouble {
        Trouble::Refused(refusal)
    }
}

impl From<PatchError> for Trouble {
    fn from(error: PatchError) -> Trouble {
        Trouble::Refused(error.into())
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        match fault.reason {
            Reason::ImageCorrupt | Reason::WrongChip => {
                Trouble::Refused(PatchRefusal::Made(fault.reason))
            }
            _ => Trouble::Fault(fault),
        }
    }
}
