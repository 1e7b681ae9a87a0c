//! From the server into the inactive slot: the requests, and what comes of them.

use std::time::Duration;

use otaru_agent::{Answer, Asked, Fault};
use otaru_host::Download;
use otaru_release::Manifest;
use otaru_slots::SECTOR_BYTES;
use otaru_wire::Reason;
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, IF_RANGE, RANGE,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::https::{Https, retry_after_s};
use crate::{Faults, FileFlash};

/// What a dead link is called from here on.
const DOWN: Reason = Reason::LinkDownWhileDownloading;

/// One download of one image, and the link it comes by.
pub(crate) struct Transfer {
    pub(crate) https: Https,
    pub(crate) flash: FileFlash,
    pub(crate) download: Download,
    pub(crate) manifest: Manifest,
    pub(crate) link_kbps: Option<u32>,
    pub(crate) faults: Faults,
    /// Gets the bytes from the image's start that were read back from flash.
    pub(crate) progress: UnboundedSender<u64>,
}

impl Transfer {
    /// Fills the slot; every chunk of it is right when this is `Ok`.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let path = format!("/firmware/{}/{}.bin", self.manifest.product, self.manifest.version);
        self.tell(self.download.right_bytes());
        // Whatever part of the slot is right already needs no server at all.
        while let Some(asked) = self.download.ask() {
            let mut answer = self.https.get(&path, self.headers(asked), DOWN).await?;
            self.download.answer(head_of(answer.head()))?;
            let mut fate = self.faults.download(asked.total.saturating_sub(asked.offset));
            while let Some(part) = answer.part(DOWN).await? {
                self.throttle(part.len()).await;
                if self.faults.cuts_download(&mut fate, part.len()) {
                    return Err(DOWN.into());
                }
                self.take(&part).await?;
            }
            self.download.body_ended(&mut self.flash)?;
            self.tell(self.download.right_bytes());
        }
        Ok(())
    }

    /// Hands a part over in pieces of which none takes long.
    async fn take(&mut self, part: &[u8]) -> Result<(), Fault> {
        for piece in part.chunks(SECTOR_BYTES as usize) {
            let progress = &self.progress;
            self.download.part(&mut self.flash, piece, |done| {
                let _ = progress.send(done);
            })?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn headers(&self, asked: Asked) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if asked.offset > 0 {
            let value =
                |text: String| HeaderValue::from_str(&text).expect("digits and hex are ASCII");
            headers.insert(RANGE, value(format!("bytes={}-", asked.offset)));
            // The server's strong ETag is the image's SHA-256, known from the manifest:
            // a file that changed comes whole, never spliced.
            headers.insert(IF_RANGE, value(format!("\"{}\"", self.manifest.sha256)));
        }
        headers
    }

    fn tell(&self, done: u64) {
        // Nobody listens any more when the firmware restarts.
        let _ = self.progress.send(done);
    }

    async fn throttle(&self, bytes: usize) {
        if let Some(kbps) = self.link_kbps {
            let micros = bytes as u64 * 8 * 1000 / u64::from(kbps.max(1));
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }
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
