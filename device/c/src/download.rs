//! A download, one read of the connection at a time.

use alloc::boxed::Box;
use alloc::format;

use otaru_agent::Fault;
use otaru_host::{Flow, PatchDownload, PatchRefusal, Progress, Request};
use otaru_release::Manifest;
use otaru_wire::Reason;

use crate::board::{Board, BoardFlash, Response};
use crate::body::Body;

/// What one read may bring.
const PART_BYTES: usize = 2048;
/// Memory for the dictionary of a patch.
const DICTIONARY_BYTES: usize = 4096;
const DOWN: Reason = Reason::LinkDownWhileDownloading;

/// A download and the request under way.
pub(crate) struct Transfer {
    download: PatchDownload<DICTIONARY_BYTES>,
    pub(crate) manifest: Manifest,
    /// The body that is being read.
    body: Option<Body>,
    /// Bytes that stand in flash, not told yet.
    told: Option<u64>,
    buffer: Box<[u8; PART_BYTES]>,
}

impl Transfer {
    pub(crate) fn new(download: PatchDownload<DICTIONARY_BYTES>, manifest: Manifest) -> Transfer {
        Transfer {
            told: Some(download.right_bytes()),
            download,
            manifest,
            body: None,
            buffer: Box::new([0; PART_BYTES]),
        }
    }

    /// The next request, or the next part of its body; whether the image is whole.
    pub(crate) fn work(&mut self, board: &Board, flash: &mut BoardFlash) -> Result<bool, Fault> {
        match self.body.take() {
            Some(body) => self.read(board, flash, body).map(|()| false),
            None => self.ask(board),
        }
    }

    /// Bytes from the image's start that stand in flash, if there are more than before.
    pub(crate) fn take_told(&mut self) -> Option<u64> {
        self.told.take()
    }

    /// What to go on behind, should power go, if that is more than before.
    pub(crate) fn take_progress(&mut self) -> Option<Progress> {
        self.download.take_progress()
    }

    /// Why the patch was given up, if it just was.
    pub(crate) fn refused(&mut self) -> Option<PatchRefusal> {
        self.download.refused()
    }

    fn ask(&mut self, board: &Board) -> Result<bool, Fault> {
        let Some(request) = self.download.ask() else { return Ok(true) };
        let response = match self.get(board, request) {
            // A request for a patch that leads nowhere is the patch's fault, not the link's.
            Err(Reason::ServerError) if matches!(request, Request::Patch(_)) => {
                self.download.give_up(Reason::ServerError);
                return Ok(false);
            }
            response => response?,
        };
        let answered = self.download.answer(response.answer(), response.etag());
        match answered {
            Ok(Flow::Body) => self.body = Some(Body::new(DOWN)),
            _ => board.close(),
        }
        answered.map(|_| false)
    }

    fn get(&self, board: &Board, request: Request) -> Result<Response, Reason> {
        let Manifest { product, version, sha256, .. } = &self.manifest;
        match request {
            Request::Image(asked) => {
                let offset = u32::try_from(asked.offset).map_err(|_| Reason::ImageTooLarge)?;
                // The image's digest, known from the manifest: a file that changed comes whole.
                let etag = (offset > 0).then(|| format!("\"{sha256}\""));
                let path = format!("/firmware/{product}/{version}.bin");
                board.get(&path, offset, etag.as_deref(), DOWN)
            }
            // Where the range has an end, the download says when it is reached.
            Request::Patch(range) => {
                let query = self.download.query();
                let path = format!("/firmware/{product}/{version}.patch?{query}");
                let etag = self.download.etag().filter(|_| range.offset > 0);
                board.get(&path, range.offset, etag, DOWN)
            }
        }
    }

    fn read(&mut self, board: &Board, flash: &mut BoardFlash, mut body: Body) -> Result<(), Fault> {
        let result = self.read_part(board, flash, &mut body);
        match result {
            Ok(Flow::Body) => self.body = Some(body),
            _ => {
                board.close();
                self.told = Some(self.download.right_bytes());
            }
        }
        result.map(drop)
    }

    fn read_part(
        &mut self,
        board: &Board,
        flash: &mut BoardFlash,
        body: &mut Body,
    ) -> Result<Flow, Fault> {
        let most = self.download.part_bytes_max().min(PART_BYTES);
        let part = body.read(board, &mut self.buffer[..most])?;
        if part.is_empty() {
            return self.download.body_ended(flash).map(|()| Flow::Ask);
        }
        let told = &mut self.told;
        self.download.part(flash, part, |done| *told = Some(done))
    }

    /// Ends the request under way, if there is one.
    pub(crate) fn close(&mut self, board: &Board) {
        if self.body.take().is_some() {
            board.close();
        }
    }
}
