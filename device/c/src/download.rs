//! A download, one read of the connection at a time.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use otaru_agent::Fault;
use otaru_host::Download;
use otaru_release::Manifest;
use otaru_wire::Reason;

use crate::board::{Board, BoardFlash};

/// What one read may bring.
const PART_BYTES: usize = 2048;
const DOWN: Reason = Reason::LinkDownWhileDownloading;

/// A download and the request under way.
pub(crate) struct Transfer {
    download: Download,
    path: String,
    etag: String,
    /// Whether a body is being read.
    is_open: bool,
    /// Bytes that stand in flash, not told yet.
    told: Option<u64>,
    buffer: Box<[u8; PART_BYTES]>,
}

impl Transfer {
    pub(crate) fn new(download: Download, manifest: &Manifest) -> Transfer {
        let Manifest { product, version, sha256, .. } = manifest;
        Transfer {
            told: Some(download.right_bytes()),
            download,
            path: format!("/firmware/{product}/{version}.bin"),
            // The image's digest, known from the manifest: a file that changed comes whole.
            etag: format!("\"{sha256}\""),
            is_open: false,
            buffer: Box::new([0; PART_BYTES]),
        }
    }

    /// The next request, or the next part of its body; whether the image is whole.
    pub(crate) fn work(&mut self, board: &Board, flash: &mut BoardFlash) -> Result<bool, Fault> {
        if self.is_open { self.read(board, flash).map(|()| false) } else { self.ask(board) }
    }

    /// Bytes from the image's start that stand in flash, if there are more than before.
    pub(crate) fn take_told(&mut self) -> Option<u64> {
        self.told.take()
    }

    fn ask(&mut self, board: &Board) -> Result<bool, Fault> {
        let Some(asked) = self.download.ask() else { return Ok(true) };
        let offset = u32::try_from(asked.offset).map_err(|_| Reason::ImageTooLarge)?;
        let etag = (offset > 0).then_some(self.etag.as_str());
        let response = board.get(&self.path, offset, etag, DOWN)?;
        let answered = self.download.answer(response.answer());
        self.is_open = answered.is_ok();
        if !self.is_open {
            board.close();
        }
        answered.map(|()| false)
    }

    fn read(&mut self, board: &Board, flash: &mut BoardFlash) -> Result<(), Fault> {
        let result = self.read_part(board, flash);
        if result.is_err() {
            self.close(board);
        }
        result
    }

    fn read_part(&mut self, board: &Board, flash: &mut BoardFlash) -> Result<(), Fault> {
        let part = board.read(self.buffer.as_mut_slice(), DOWN)?;
        if part.is_empty() {
            self.close(board);
            self.download.body_ended(flash)?;
            self.told = Some(self.download.right_bytes());
            return Ok(());
        }
        let told = &mut self.told;
        self.download.part(flash, part, |done| *told = Some(done))
    }

    /// Ends the request under way, if there is one.
    pub(crate) fn close(&mut self, board: &Board) {
        if core::mem::take(&mut self.is_open) {
            board.close();
        }
    }
}
