//! The network: what becomes of each message and each request.

use otaru_agent::{Answer, Asked};

use crate::catalogue::{Release, catalogue};
use crate::life::{Gust, Weather};

/// Counts messages and requests, and says what happens to each.
#[derive(Clone, Debug)]
pub(crate) struct Sky<'a> {
    gusts: &'a [Gust],
    part_bytes: usize,
    messages: u32,
    requests: u32,
    /// Gusts that came to pass.
    pub(crate) count: u32,
}

/// The body of an answer, and what is said about it.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) status: u16,
    content_range: Option<String>,
    content_length: Option<u64>,
    content_encoding: Option<&'static str>,
    bytes: Vec<u8>,
    at: usize,
    part_bytes: usize,
    /// Whether nothing more comes behind the bytes, not even an end.
    stalls: bool,
}

/// The next of a body.
pub(crate) enum Next {
    Part(Vec<u8>),
    End,
    Silence,
}

impl<'a> Sky<'a> {
    pub(crate) fn new(gusts: &'a [Gust], part_bytes: usize) -> Sky<'a> {
        Sky { gusts, part_bytes, messages: 0, requests: 0, count: 0 }
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
        let total = release.image.len();
        let mut body = Body {
            status: if offset > 0 { 206 } else { 200 },
            content_range: (offset > 0).then(|| format!("bytes {offset}-{}/{total}", total - 1)),
            content_length: Some((total - offset) as u64),
            content_encoding: None,
            bytes: release.image[offset..].to_vec(),
            at: 0,
            part_bytes: self.part_bytes,
            stalls: false,
        };
        let Some(weather) = self.request() else { return body };
        match weather {
            Weather::Status(status) => {
                body = Body { status, content_range: None, bytes: Vec::new(), ..body };
            }
            Weather::Stall { after } => {
                body.bytes.truncate(after);
                body.stalls = true;
            }
            Weather::Truncate { after } => body.bytes.truncate(after),
            Weather::Whole => body = whole(body, release),
            Weather::OtherRange if offset > 0 => {
                body.content_range = Some(format!("bytes 0-{}/{total}", total - 1));
                body.bytes = release.image.clone();
            }
            Weather::OtherRange => body.status = 206,
            Weather::OtherFile => body.bytes = other_file(release, offset),
            Weather::Longer => {
                body.content_length = None;
                body.bytes.extend([0xA5; 5000]);
            }
            Weather::OtherLength => {
                body = whole(body, release);
                body.content_length = Some(total as u64 + 16);
            }
            Weather::Flip { at } => {
                let length = body.bytes.len();
                body.bytes[at % length] ^= 0x10;
            }
            Weather::Trickle { part } => body.part_bytes = part.max(1),
            Weather::Encoded => body.content_encoding = Some("gzip"),
            _ => {}
        }
        body
    }
}

fn whole(body: Body, release: &Release) -> Body {
    let length = release.image.len() as u64;
    let bytes = release.image.clone();
    Body { status: 200, content_range: None, content_length: Some(length), bytes, ..body }
}

/// Bytes nobody signed behind the same address, as long as the right ones.
fn other_file(release: &Release, offset: usize) -> Vec<u8> {
    let mut strangers = catalogue().strangers.iter();
    let other = strangers.find(|image| image.len() == release.image.len());
    other.expect("there is a stranger of every length")[offset..].to_vec()
}

impl Body {
    pub(crate) fn head(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            content_range: self.content_range.as_deref(),
            content_length: self.content_length,
            content_encoding: self.content_encoding,
            retry_after_s: None,
        }
    }

    pub(crate) fn next(&mut self) -> Next {
        if self.at >= self.bytes.len() {
            return if self.stalls { Next::Silence } else { Next::End };
        }
        let end = (self.at + self.part_bytes).min(self.bytes.len());
        let part = self.bytes[self.at..end].to_vec();
        self.at = end;
        Next::Part(part)
    }
}
