//! From the server into the inactive slot: the requests, and what comes of them.

use std::time::Duration;

use otaru_agent::{Answer, Fault};
use otaru_host::{Flow, KeptLine, PatchDownload, Progress, Request};
use otaru_release::Manifest;
use otaru_slots::SECTOR_BYTES;
use otaru_wire::payload::LogLevel;
use otaru_wire::{Digest, Reason};
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_RANGE, RANGE,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::https::{Https, Incoming, retry_after_s};
use crate::{Faults, FileFlash, SimView};

/// What a dead link is called from here on.
const DOWN: Reason = Reason::LinkDownWhileDownloading;
/// Memory for the dictionary of a patch.
const DICTIONARY_BYTES: usize = 8192;

/// What is heard of a download before its end.
pub(crate) enum Told {
    /// So many bytes from the image's start were read back from flash.
    Bytes(u64),
    /// What of them to go on behind, should power go.
    Progress(Progress),
    /// The patch was given up.
    Refused {
        /// What it was for.
        target: Digest,
        /// Why, for the device's log.
        refusal: KeptLine,
    },
    /// A line for the device's log.
    Line(KeptLine),
}

/// One download of one image, and the link it comes by.
pub(crate) struct Transfer {
    pub(crate) https: Https,
    pub(crate) flash: FileFlash,
    pub(crate) download: PatchDownload<DICTIONARY_BYTES>,
    pub(crate) manifest: Manifest,
    pub(crate) link_kbps: Option<u32>,
    pub(crate) faults: Faults,
    pub(crate) view: SimView,
    pub(crate) told: UnboundedSender<Told>,
}

impl Transfer {
    /// Fills the slot; every chunk of it is right when this is `Ok`.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        self.tell(Told::Bytes(self.download.right_bytes()));
        let mut was_by_patch = false;
        // Whatever part of the slot is right already needs no server at all.
        while let Some(request) = self.download.ask() {
            was_by_patch |= matches!(request, Request::Patch(_));
            self.follow(request).await?;
            self.tell_progress();
            if let Some(refusal) = self.download.refused() {
                let target = self.manifest.sha256;
                self.tell(Told::Refused { target, refusal: refusal.line(&self.manifest.version) });
            }
            self.tell(Told::Bytes(self.download.right_bytes()));
        }
        if was_by_patch {
            self.tell_tally();
        }
        Ok(())
    }

    /// One request, as far as its body is of use.
    async fn follow(&mut self, request: Request) -> Result<(), Fault> {
        let Some(mut answer) = self.answer_to(request).await? else { return Ok(()) };
        let head = answer.head();
        let left = head.content_length().unwrap_or(self.manifest.size_bytes);
        let mut fate = self.faults.download(left);
        let mut flow = self.download.answer(head_of(head), text(head, ETAG))?;
        while flow == Flow::Body {
            let Some(part) = answer.part(DOWN).await? else {
                return self.download.body_ended(&mut self.flash);
            };
            self.view.received(part.len());
            self.throttle(part.len()).await;
            if self.faults.cuts_download(&mut fate, part.len()) {
                return Err(DOWN.into());
            }
            flow = self.take(&part).await?;
        }
        Ok(())
    }

    /// The answer; `None` where the request for a patch leads nowhere and the image is next.
    async fn answer_to(&mut self, request: Request) -> Result<Option<Incoming>, Fault> {
        let Manifest { product, version, .. } = &self.manifest;
        let path = match request {
            Request::Image(_) => format!("/firmware/{product}/{version}.bin"),
            Request::Patch(_) => {
                format!("/firmware/{product}/{version}.patch?{}", self.download.query())
            }
        };
        match self.https.get(&path, self.headers(request), DOWN).await {
            Err(fault) if fault.reason == Reason::ServerError => match request {
                Request::Image(_) => Err(fault),
                Request::Patch(_) => {
                    self.download.give_up(fault.reason);
                    Ok(None)
                }
            },
            answer => answer.map(Some),
        }
    }

    /// Hands a part over in pieces of which none takes long.
    async fn take(&mut self, mut part: &[u8]) -> Result<Flow, Fault> {
        while !part.is_empty() {
            let most = self.download.part_bytes_max().min(SECTOR_BYTES as usize);
            let (piece, rest) = part.split_at(part.len().min(most));
            part = rest;
            let told = &self.told;
            let flow = self.download.part(&mut self.flash, piece, |done| {
                let _ = told.send(Told::Bytes(done));
            })?;
            self.tell_progress();
            if flow == Flow::Ask {
                return Ok(flow);
            }
            tokio::task::yield_now().await;
        }
        Ok(Flow::Body)
    }

    fn headers(&self, request: Request) -> HeaderMap {
        let value = |text: &str| {
            HeaderValue::from_str(text).expect("digits, hex and entity tags are ASCII")
        };
        let mut headers = HeaderMap::new();
        match request {
            Request::Image(asked) if asked.offset > 0 => {
                headers.insert(RANGE, value(&format!("bytes={}-", asked.offset)));
                // The server's strong ETag is the image's SHA-256, known from the manifest:
                // a file that changed comes whole, never spliced.
                headers.insert(IF_RANGE, value(&format!("\"{}\"", self.manifest.sha256)));
            }
            Request::Patch(range) if !range.is_whole() => {
                headers.insert(RANGE, value(&range.to_string()));
                if let Some(etag) = self.download.etag().filter(|_| range.offset > 0) {
                    headers.insert(IF_RANGE, value(etag));
                }
            }
            _ => {}
        }
        headers
    }

    fn tell_progress(&mut self) {
        if let Some(progress) = self.download.take_progress() {
            self.tell(Told::Progress(progress));
        }
    }

    fn tell(&self, told: Told) {
        // Nobody listens any more when the firmware restarts.
        let _ = self.told.send(told);
    }

    fn tell_tally(&self) {
        let tally = self.download.tally();
        let message = format!(
            "update to {}: {} bytes received for {} bytes of the image",
            self.manifest.version, tally.received_bytes, tally.made_bytes
        );
        self.tell(Told::Line(KeptLine {
            level: LogLevel::Info,
            code: None,
            message,
            reason: None,
        }));
    }

    async fn throttle(&self, bytes: usize) {
        if let Some(kbps) = self.link_kbps {
            let micros = bytes as u64 * 8 * 1000 / u64::from(kbps.max(1));
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }
}

fn head_of(answer: &Response) -> Answer<'_> {
    Answer {
        status: answer.status().as_u16(),
        content_range: text(answer, CONTENT_RANGE),
        content_length: answer.content_length(),
        content_encoding: text(answer, CONTENT_ENCODING),
        retry_after_s: retry_after_s(answer),
    }
}

fn text(answer: &Response, name: HeaderName) -> Option<&str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}
