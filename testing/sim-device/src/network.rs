//! The network: what becomes of each message and each request.

use otaru_agent::{Answer, Asked};
use otaru_host::PatchRange;

mod document;

pub(crate) use document::Document;

use crate::catalogue::{Release, catalogue};
use crate::life::{Gust, Weather};
use crate::offers;

/// Between two parts of a body: on a good link, and on one that trickles.
const PART_MS: u64 = 1;
const TRICKLE_MS: u64 = 200;
/// What comes more slowly, over so long, is as good as silence to every host.
const RATE_MIN_BYTES_PER_S: u64 = 256;
const RATE_WINDOW_MS: u64 = 60_000;
/// A server that has too much to do wants to be asked again after so long.
const BUSY_S: u64 = 120;

/// Counts messages and requests, and says what happens to each.
#[derive(Clone, Debug)]
pub(crate) struct Sky {
    gusts: Vec<Gust>,
    part_bytes: usize,
    messages: u32,
    requests: u32,
    /// Gusts that came to pass.
    pub(crate) count: u32,
    /// Of these, those that spoilt a patch and are nobody's excuse.
    pub(crate) spoilt_patches: u32,
    /// Of these, those that brought a manifest that nobody signed, or not for this.
    pub(crate) spoilt_manifests: u32,
}

/// The body of an answer, and what is said about it.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) status: u16,
    content_range: Option<String>,
    content_length: Option<u64>,
    content_encoding: Option<&'static str>,
    etag: String,
    bytes: Vec<u8>,
    at: usize,
    part_bytes: usize,
    part_ms: u64,
    /// Whether nothing more comes behind the bytes, not even an end.
    stalls: bool,
    /// What came since when, where the client measures.
    window: Option<(u64, u64)>,
}

/// The next of a body.
pub(crate) enum Next {
    Part(Vec<u8>),
    End,
    Silence,
    /// The client gives up on a link that is this slow.
    TooSlow,
}

impl Sky {
    pub(crate) fn new(gusts: Vec<Gust>, part_bytes: usize) -> Sky {
        Sky {
            gusts,
            part_bytes,
            messages: 0,
            requests: 0,
            count: 0,
            spoilt_patches: 0,
            spoilt_manifests: 0,
        }
    }

    /// How many messages and requests there were.
    pub(crate) fn met(&self) -> (u32, u32) {
        (self.messages, self.requests)
    }

    /// What happens to the next message.
    pub(crate) fn message(&mut self) -> Option<Weather> {
        let at = self.messages;
        self.messages += 1;
        self.find(at, true)
    }

    /// What happens to the next request.
    pub(crate) fn request(&mut self) -> Option<Weather> {
        let at = self.requests;
        self.requests += 1;
        self.find(at, false)
    }

    fn find(&mut self, at: u32, is_of_messages: bool) -> Option<Weather> {
        let fits = |gust: &&Gust| gust.at == at && gust.what.is_of_messages() == is_of_messages;
        let found = self.gusts.iter().find(fits).map(|gust| gust.what);
        self.count += u32::from(found.is_some());
        found
    }

    /// The answer to a request for an image.
    pub(crate) fn image(&mut self, asked: Asked, release: &Release) -> Body {
        let offset = asked.offset as usize;
        let range = (offset > 0).then_some(offset..release.image.len());
        let weather = self.request();
        self.answer(&release.image, etag_of(&release.sha256), range, weather)
    }

    /// The answer to a request for a patch between two releases.
    pub(crate) fn patch(
        &mut self,
        asked: PatchRange,
        if_range: Option<&str>,
        from: &Release,
        to: &Release,
    ) -> Body {
        let weather = self.request();
        self.spoilt_patches += u32::from(weather.is_some_and(|weather| !weather.is_of_links()));
        let Some(patch) = offers::patch(from, to, weather) else {
            return self.answer(&[], String::new(), None, Some(Weather::Status(404)));
        };
        let (etag, patch) = (etag_of(&patch.sha256), &patch.bytes);
        let end = asked.last.map_or(patch.len(), |last| patch.len().min(last as usize + 1));
        let is_same = if_range.is_none_or(|known| known == etag);
        let range = (!asked.is_whole() && is_same).then_some(asked.offset as usize..end);
        if range.as_ref().is_some_and(|range| range.start >= range.end) {
            return self.answer(patch, etag, None, Some(Weather::Status(416)));
        }
        self.answer(patch, etag, range, weather)
    }

    /// A file, or a part of it, as the weather lets it come.
    fn answer(
        &self,
        file: &[u8],
        etag: String,
        range: Option<std::ops::Range<usize>>,
        weather: Option<Weather>,
    ) -> Body {
        let total = file.len();
        let text = |range: &std::ops::Range<usize>| {
            format!("bytes {}-{}/{total}", range.start, range.end - 1)
        };
        let part = range.clone().unwrap_or(0..total);
        let mut body = Body {
            status: if range.is_some() { 206 } else { 200 },
            content_range: range.as_ref().map(text),
            content_length: Some(part.len() as u64),
            content_encoding: None,
            etag,
            bytes: file[part.clone()].to_vec(),
            at: 0,
            part_bytes: self.part_bytes,
            part_ms: PART_MS,
            stalls: false,
            window: None,
        };
        let Some(weather) = weather else { return body };
        match weather {
            Weather::Status(status) => {
                body = Body { status, content_range: None, bytes: Vec::new(), ..body };
            }
            Weather::Stall { after } => {
                body.bytes.truncate(after);
                body.stalls = true;
            }
            Weather::Truncate { after } => body.bytes.truncate(after),
            Weather::Whole => body = whole(body, file),
            Weather::OtherRange if range.is_some() => {
                body.content_range = Some(text(&(0..total)));
                body.bytes = file.to_vec();
            }
            Weather::OtherRange => body.status = 206,
            Weather::OtherFile => body.bytes = other_file(total)[part].to_vec(),
            Weather::Longer => {
                body.content_length = None;
                body.bytes.extend([0xA5; 5000]);
            }
            Weather::OtherLength => {
                body = whole(body, file);
                body.content_length = Some(total as u64 + 16);
            }
            Weather::Flip { at } => {
                let length = body.bytes.len();
                body.bytes[at % length] ^= 0x10;
            }
            Weather::Trickle { part } => {
                (body.part_bytes, body.part_ms) = (part.max(1), TRICKLE_MS);
            }
            Weather::Encoded => body.content_encoding = Some("gzip"),
            _ => {}
        }
        body
    }
}

/// A strong entity tag, as the server makes it.
fn etag_of(sha256: &[u8; 32]) -> String {
    format!("\"{}\"", crate::judge::hex(sha256))
}

fn whole(body: Body, file: &[u8]) -> Body {
    let content_length = Some(file.len() as u64);
    Body { status: 200, content_range: None, content_length, bytes: file.to_vec(), ..body }
}

/// Bytes nobody signed behind the same address, as long as the right ones.
fn other_file(length: usize) -> &'static [u8] {
    let mut strangers = catalogue().strangers.iter();
    let other = strangers.find(|image| image.len() >= length);
    &other.expect("there is a stranger of every length")[..length]
}

impl Body {
    /// The entity tag that came with it.
    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }

    /// Whether the server has too much to do.
    pub(crate) fn is_busy(&self) -> bool {
        self.status == 429
    }

    pub(crate) fn head(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            content_range: self.content_range.as_deref(),
            content_length: self.content_length,
            content_encoding: self.content_encoding,
            retry_after_s: self.is_busy().then_some(BUSY_S),
        }
    }

    /// How long the next part takes to come.
    pub(crate) fn part_ms(&self) -> u64 {
        self.part_ms
    }

    /// The next part, of at most so many bytes.
    pub(crate) fn next(&mut self, now_ms: u64, most: usize) -> Next {
        if self.at >= self.bytes.len() {
            return if self.stalls { Next::Silence } else { Next::End };
        }
        let end = (self.at + self.part_bytes.min(most)).min(self.bytes.len());
        let part = self.bytes[self.at..end].to_vec();
        self.at = end;
        let (began_ms, before) = self.window.unwrap_or((now_ms, 0));
        let came = before + part.len() as u64;
        self.window = Some((began_ms, came));
        if now_ms - began_ms >= RATE_WINDOW_MS {
            if came * 1000 < RATE_MIN_BYTES_PER_S * RATE_WINDOW_MS {
                return Next::TooSlow;
            }
            self.window = Some((now_ms, 0));
        }
        Next::Part(part)
    }
}
