//! From the server into the inactive slot: resumed from what flash holds, chunk
//! by chunk against the signed list, counted only when read back.

use std::time::Duration;

use otaru_agent::{Answer, Asked, Fault, Verdict, judge};
use otaru_release::{Chip, ImageHead, Manifest};
use otaru_slots::{
    ChunkList, Layout, SECTOR_BYTES, Slot, SlotError, SlotWriter, chunk_is_good, resume_point,
};
use otaru_wire::Reason;
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, IF_RANGE, RANGE,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::FileFlash;
use crate::https::{Https, retry_after_s};

/// What a dead link is called from here on.
const DOWN: Reason = Reason::LinkDownWhileDownloading;

/// One download of one image into one slot.
pub(crate) struct Download {
    pub(crate) https: Https,
    pub(crate) flash: FileFlash,
    pub(crate) layout: Layout,
    pub(crate) running: Slot,
    pub(crate) chip: Chip,
    pub(crate) manifest: Manifest,
    pub(crate) from_start: bool,
    pub(crate) link_kbps: Option<u32>,
    /// Gets the bytes from the image's start that were read back from flash.
    pub(crate) progress: UnboundedSender<u64>,
}

impl Download {
    /// Fills the slot; every chunk of it is right when this is `Ok`.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let size = u32::try_from(self.manifest.size_bytes).map_err(|_| Reason::ImageTooLarge)?;
        let digests: Vec<u8> =
            self.manifest.chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect();
        let chunks = ChunkList::new(size, &digests).map_err(reason_of)?;
        let mut done = match self.from_start {
            true => 0,
            false => resume_point(&mut self.flash, &self.layout, self.running.other(), &chunks)
                .map_err(reason_of)?,
        };
        if done > 0 {
            self.write_end_anew(size, done)?;
        }
        // Whatever part of the slot is right already needs no server at all.
        while done < size {
            self.tell(done);
            done = self.fetch(&chunks, done).await?;
        }
        self.tell(size);
        Ok(())
    }

    /// Power may have gone in the write before the resume point, and left cells that read right
    /// this time alone.
    fn write_end_anew(&mut self, size: u32, done: u32) -> Result<(), Reason> {
        let mut sector = [0; SECTOR_BYTES as usize];
        let (running, target) = (self.running, self.running.other());
        SlotWriter::resume(&mut self.flash, &self.layout, running, target, size, done, &mut sector)
            .map(drop)
            .map_err(reason_of)
    }

    /// One request from `offset` on; answers how far the slot is right after it.
    async fn fetch(&mut self, chunks: &ChunkList<'_>, asked_offset: u32) -> Result<u32, Fault> {
        let path = format!("/firmware/{}/{}.bin", self.manifest.product, self.manifest.version);
        let mut answer = self.https.get(&path, self.headers(asked_offset), DOWN).await?;
        let asked = Asked { offset: asked_offset.into(), total: chunks.image_bytes().into() };
        let offset = match judge(asked, head_of(answer.head())) {
            Verdict::Append => asked_offset,
            Verdict::FromStart => 0,
            Verdict::Redirect => return Err(Reason::ServerError.into()),
            Verdict::Fail(fault) => return Err(fault),
        };
        let mut fill = Fill { next_chunk: offset / otaru_slots::CHUNK_BYTES, writer: None };
        let mut head = Vec::new();
        while let Some(part) = answer.part(DOWN).await? {
            self.throttle(part.len()).await;
            if fill.writer.is_some() {
                self.write(&mut fill, chunks, &part).await?;
                continue;
            }
            // Nothing is erased before the image's own header was seen.
            head.extend_from_slice(&part);
            if offset == 0 && head.len() < ImageHead::SIZE_BYTES.min(chunks.image_bytes() as usize)
            {
                continue;
            }
            if offset == 0 {
                self.check_head(&head)?;
            }
            fill.writer = Some(self.begin(chunks, offset)?);
            self.write(&mut fill, chunks, &std::mem::take(&mut head)).await?;
        }
        let right = self.end(fill, chunks)?;
        match right > asked_offset {
            true => Ok(right),
            // A part of the rest that brings no chunk further is a link that went down.
            false if offset == asked_offset => Err(DOWN.into()),
            // The image again, and less of it than stood in flash.
            false => Err(Reason::ContentChanged.into()),
        }
    }

    fn headers(&self, offset: u32) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if offset > 0 {
            let value =
                |text: String| HeaderValue::from_str(&text).expect("digits and hex are ASCII");
            headers.insert(RANGE, value(format!("bytes={offset}-")));
            // The server's strong ETag is the image's SHA-256, known from the manifest:
            // a file that changed comes whole, never spliced.
            headers.insert(IF_RANGE, value(format!("\"{}\"", self.manifest.sha256)));
        }
        headers
    }

    fn check_head(&self, head: &[u8]) -> Result<(), Reason> {
        let head = ImageHead::parse(head).map_err(|_| Reason::ImageCorrupt)?;
        head.runs_on(self.chip, None).map_err(|_| Reason::WrongChip)
    }

    fn begin(&mut self, chunks: &ChunkList<'_>, offset: u32) -> Result<SlotWriter, Reason> {
        let target = self.running.other();
        let size = chunks.image_bytes();
        SlotWriter::begin(&mut self.flash, &self.layout, self.running, target, size, offset)
            .map_err(reason_of)
    }

    /// Writes a part sector by sector, reads it back, checks each chunk it completes.
    async fn write(
        &mut self,
        fill: &mut Fill,
        chunks: &ChunkList<'_>,
        mut part: &[u8],
    ) -> Result<(), Fault> {
        while !part.is_empty() {
            let writer = fill.writer.as_mut().ok_or(Reason::Internal)?;
            let before = writer.position();
            let taken = writer.write(&mut self.flash, part).map_err(|error| match error {
                // More bytes than the signed image has.
                SlotError::PastEnd { .. } => Reason::TooManyBytes,
                error => reason_of(error),
            })?;
            part = &part[taken..];
            let position = writer.position();
            if position / SECTOR_BYTES > before / SECTOR_BYTES {
                if let Some(range) = chunks.range(fill.next_chunk)
                    && position >= range.end
                    && range.end < chunks.image_bytes()
                {
                    self.check_chunk(chunks, fill.next_chunk)?;
                    fill.next_chunk += 1;
                }
                self.tell(position - position % SECTOR_BYTES);
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// The body is over: checks the last chunk; answers how far the slot is right.
    fn end(&mut self, fill: Fill, chunks: &ChunkList<'_>) -> Result<u32, Fault> {
        let Some(writer) = fill.writer else { return Err(DOWN.into()) };
        if writer.position() < chunks.image_bytes() {
            // A server may answer a part of the rest.
            return Ok(chunks.range(fill.next_chunk).map_or(0, |range| range.start));
        }
        writer.finish(&mut self.flash).map_err(reason_of)?;
        self.check_chunk(chunks, chunks.count().saturating_sub(1))?;
        Ok(chunks.image_bytes())
    }

    fn check_chunk(&mut self, chunks: &ChunkList<'_>, number: u32) -> Result<(), Reason> {
        let target = self.running.other();
        let good = chunk_is_good(&mut self.flash, &self.layout, target, chunks, number);
        if good.map_err(reason_of)? { Ok(()) } else { Err(Reason::ImageCorrupt) }
    }

    fn tell(&self, done: u32) {
        // Nobody listens any more when the download was stopped.
        let _ = self.progress.send(done.into());
    }

    async fn throttle(&self, bytes: usize) {
        if let Some(kbps) = self.link_kbps {
            let micros = bytes as u64 * 8 * 1000 / u64::from(kbps.max(1));
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }
}

/// The writer, and the first chunk that was not checked yet.
struct Fill {
    next_chunk: u32,
    writer: Option<SlotWriter>,
}

fn head_of(answer: &Response) -> Answer<'_> {
    let text = |name: HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok());
    Answer {
        status: answer.status().as_u16(),
        content_range: text(CONTENT_RANGE),
        content_length: answer.content_length(),
        content_encoding: text(CONTENT_ENCODING),
        retry_after_s: retry_after_s(answer),
    }
}

fn reason_of(error: SlotError) -> Reason {
    tracing::warn!(error = %error, "Slot refused");
    match error {
        SlotError::Flash(_) | SlotError::OtaData(_) => Reason::FlashFailed,
        SlotError::ImageSize { .. } => Reason::ImageTooLarge,
        SlotError::ChunkList { .. } => Reason::ManifestInvalid,
        _ => Reason::Internal,
    }
}
