//! A download: by patch where there is one, the full image otherwise.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use otaru_agent::{Input, Target};
use otaru_host::{Flow, PatchDownload, Request};
use otaru_release::Manifest;
use otaru_wire::Reason;
use otaru_wire::payload::LogLevel;

use crate::board::Board;
use crate::device::{Broken, Device};
use crate::https::{self, Ask};
use crate::link::{self, Company};

/// Memory for the dictionary of a patch.
const DICTIONARY_BYTES: usize = 4096;
const DOWN: Reason = Reason::LinkDownWhileDownloading;

type Download = PatchDownload<DICTIONARY_BYTES>;

impl<B: Board> Device<B> {
    /// Fills the slot that does not run, and puts the documents beside it that say why it may.
    pub(crate) async fn download(
        &mut self,
        target: &Target,
        from_start: bool,
    ) -> Result<(), Broken> {
        let checked = self.checked.take().ok_or(Reason::Internal)?;
        let mut download = self.begin(target, &checked.manifest, from_start)?;
        let there = download.right_bytes();
        self.answer(Input::BytesRead { done: there });
        let (version, total) = (&checked.manifest.version, checked.manifest.size_bytes);
        let message = format!("update to {version}: {there} of {total} bytes are there");
        self.note(LogLevel::Info, "OTA_DOWNLOADING", &message, None);
        while let Some(request) = download.ask() {
            self.fetch(&mut download, &checked.manifest, request).await?;
            if self.is_stopped || self.is_restarting {
                return Ok(());
            }
        }
        let tally = download.tally();
        let message = format!(
            "update to {version}: {} bytes received for {}",
            tally.received_bytes, tally.made_bytes
        );
        self.note(LogLevel::Info, "OTA_RECEIVED", &message, None);
        let slot = self.host.slot().other();
        if !self.board.keeps_proof() {
            return Ok(());
        }
        let documents: Vec<&[u8]> = checked.documents.iter().map(Vec::as_slice).collect();
        Ok(self.board.keep_proof(self.host.flash(), slot, &documents)?)
    }

    /// It is large, and moved about a few times: not on the stack of what waits.
    #[inline(never)]
    fn begin(
        &mut self,
        target: &Target,
        manifest: &Manifest,
        from_start: bool,
    ) -> Result<Box<Download>, Broken> {
        let chip = self.net.identity.chip;
        Ok(Box::new(self.host.patch_download(target, manifest, chip, from_start)??))
    }

    /// One request, to the end of its body or as far as it is of use.
    async fn fetch(
        &mut self,
        download: &mut Download,
        manifest: &Manifest,
        request: Request,
    ) -> Result<(), Broken> {
        let net = self.net;
        let host = &net.identity.https;
        let (path, range) = request_of(download, manifest, request);
        let ask = Ask { host: &host.0, path: &path, range };
        let done = link::with(&net, host, DOWN, self, async |tls, device: &mut Self| {
            let (head, mut body) = device.wait(https::get(tls, &ask, DOWN)).await??;
            if download.answer(head.answer(), head.etag.as_deref())? == Flow::Ask {
                device.look_for_refusal(download, manifest);
                return Ok(());
            }
            loop {
                let most = download.part_bytes_max();
                let part = device.wait(body.read(most)).await??;
                if part.is_empty() {
                    download.body_ended(device.host.flash())?;
                    device.keep_progress(download)?;
                    device.tell(download.right_bytes());
                    return Ok(());
                }
                let mut told = None;
                let flow = download.part(device.host.flash(), part, |done| told = Some(done))?;
                device.keep_progress(download)?;
                if let Some(done) = told {
                    device.tell(done);
                }
                device.look_for_refusal(download, manifest);
                if flow == Flow::Ask {
                    return Ok(());
                }
            }
        });
        done.await?
    }

    fn keep_progress(&mut self, download: &mut Download) -> Result<(), Broken> {
        match download.take_progress() {
            Some(progress) => Ok(self.host.keep_progress(progress)?),
            None => Ok(()),
        }
    }

    fn tell(&mut self, done: u64) {
        self.answer(Input::BytesRead { done });
    }

    fn look_for_refusal(&mut self, download: &mut Download, manifest: &Manifest) {
        if let Some(refusal) = download.refused() {
            self.host.patch_refused(&manifest.sha256);
            refusal.line(&manifest.version).tell(|line| self.board.log(&line));
        }
    }
}

type Range = Option<(String, Option<String>)>;

/// Path and range of a request.
fn request_of(download: &Download, manifest: &Manifest, request: Request) -> (String, Range) {
    let Manifest { product, version, sha256, .. } = manifest;
    match request {
        Request::Image(asked) => {
            let range = (asked.offset > 0)
                .then(|| (format!("bytes={}-", asked.offset), Some(format!("\"{sha256}\""))));
            (format!("/firmware/{product}/{version}.bin"), range)
        }
        Request::Patch(range) => {
            let etag = download.etag().filter(|_| range.offset > 0).map(String::from);
            let wanted = (!range.is_whole()).then(|| (range.to_string(), etag));
            (format!("/firmware/{product}/{version}.patch?{}", download.query()), wanted)
        }
    }
}
