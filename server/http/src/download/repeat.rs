//! Ranges of one image, one after the other on one connection, below HTTP: a request that
//! differs from an answered one in the numbers of its range alone is answered in the words of
//! that answer.
//!
//! Nothing is decided here. HTTP has read the same words before, and the route has said what is
//! the answer to them; who may fetch is asked of the same [`LastDownload`] as there. What is not
//! exactly so is left to HTTP, and so is every first request, one in a second at least.

use std::io::{IoSlice, Write as _};
use std::ops::Range;

use axum::body::Bytes;
use otaru_operations::Sender;
use uuid::Uuid;

use super::LastDownload;

/// The longest request that is compared.
const MOST_REQUEST_BYTES: usize = 2 * 1024;

/// The longest range: about so much of an answer the kernel takes at once, also for a slow client.
const MOST_RANGE_BYTES: u64 = 32 * 1024;

const END: &[u8] = b"\r\n\r\n";

/// Follows what HTTP reads and writes on a connection.
pub(crate) struct Repeats {
    last: LastDownload,
    state: State,
}

enum State {
    /// Between two answers; the last one, if the like of it can be given.
    Idle(Option<Exchange>),
    /// HTTP has the beginning of a request.
    Reading(Vec<u8>),
    /// HTTP has a request.
    Asked(Asked),
    /// HTTP is answering, and so many bytes are still to come; then it is idle with this.
    Answering(Option<Exchange>, u64),
    /// Something else is going on, which HTTP alone understands.
    Lost,
}

/// A request without a body.
struct Asked {
    request: Vec<u8>,
    /// Where the numbers of its one range are, if it is for one.
    numbers: Option<Range<usize>>,
}

/// A request for a range and the head of its answer.
struct Exchange {
    request: Vec<u8>,
    /// Where the numbers of the range are.
    numbers: Range<usize>,
    /// Without its end and the lines that are another's each time.
    head: Vec<u8>,
}

/// An answer to be written as it is.
pub(crate) struct Answer {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
    /// The download has its places until the answer is dropped.
    _sender: Option<Sender>,
}

impl Repeats {
    pub(crate) fn new(last: LastDownload) -> Repeats {
        Repeats { last, state: State::Idle(None) }
    }

    /// Bytes have come: the answer to them, or `None` where HTTP is to have them.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Option<Answer> {
        if let State::Idle(Some(exchange)) = &self.state
            && let Some(answer) = exchange.again(bytes, &self.last)
        {
            return Some(answer);
        }
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(_) => State::Reading(Vec::new()).and(bytes),
            other => other.and(bytes),
        };
        None
    }

    /// HTTP has written so many bytes of these slices.
    pub(crate) fn written(&mut self, slices: &[IoSlice<'_>], count: usize) {
        let (exchange, left) = match std::mem::replace(&mut self.state, State::Lost) {
            State::Asked(asked) => match slices.first().and_then(|head| asked.answered(head)) {
                Some(answering) => answering,
                None => return,
            },
            State::Answering(exchange, left) => (exchange, left),
            State::Idle(_) | State::Reading(_) | State::Lost => return,
        };
        self.state = match left.checked_sub(count as u64) {
            Some(0) => State::Idle(exchange),
            Some(left) => State::Answering(exchange, left),
            None => State::Lost,
        };
    }
}

impl State {
    /// What it is when HTTP has read these bytes.
    fn and(self, bytes: &[u8]) -> State {
        let State::Reading(mut request) = self else { return State::Lost };
        if request.len() + bytes.len() > MOST_REQUEST_BYTES {
            return State::Lost;
        }
        let looked_at = request.len().saturating_sub(END.len() - 1);
        request.extend_from_slice(bytes);
        match position(&request[looked_at..], END) {
            Some(_) => Asked::read(request).map_or(State::Lost, State::Asked),
            None => State::Reading(request),
        }
    }
}

impl Asked {
    /// Reads a request, if these bytes are one GET, whole and without a body.
    fn read(request: Vec<u8>) -> Option<Asked> {
        let bytes = &*request;
        // HTTP takes a line feed alone for the end of a line, too: what ends where is then its own.
        let is_simple = bytes.starts_with(b"GET ")
            && position(bytes, END) == Some(bytes.len() - END.len())
            && bytes
                .iter()
                .zip(&bytes[1..])
                .all(|(before, byte)| *byte != b'\n' || *before == b'\r');
        let mut lines = lines(bytes).filter(|_| is_simple);
        if !bytes[lines.next()?].ends_with(b" HTTP/1.1") {
            return None;
        }
        let (mut ranges, mut numbers) = (0, None);
        for line in lines {
            let (name, value) = header(bytes, line)?;
            match &*name.to_ascii_lowercase() {
                b"range" => {
                    ranges += 1;
                    numbers = numbers_in(bytes, value);
                }
                b"content-length" | b"transfer-encoding" | b"expect" | b"upgrade" => return None,
                _ => {}
            }
        }
        let numbers = numbers.filter(|_| ranges == 1);
        Some(Asked { request, numbers })
    }

    /// Reads the beginning of an answer: what of it holds for the next one, if anything does, and
    /// how long it is.
    fn answered(self, bytes: &[u8]) -> Option<(Option<Exchange>, u64)> {
        let head_bytes = position(bytes, END)? + END.len();
        let bytes = &bytes[..head_bytes];
        let mut lines = lines(bytes);
        let status = &bytes[lines.next()?];
        let code = status.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        // These have no body, whatever their length says.
        if code.starts_with(b"1") || matches!(code, b"204" | b"304") {
            return None;
        }
        let (mut head, mut body_bytes) = ([status, b"\r\n"].concat(), None);
        for line in lines {
            let (name, value) = header(bytes, line.clone())?;
            match name {
                b"content-length" => body_bytes = number(&bytes[value]),
                b"content-range" | b"x-request-id" => {}
                b"connection" | b"transfer-encoding" => return None,
                _ => head.extend_from_slice(&bytes[line.start..line.end + 2]),
            }
        }
        let Asked { request, numbers } = self;
        let exchange = numbers.filter(|_| code == b"206");
        let exchange = exchange.map(|numbers| Exchange { request, numbers, head });
        Some((exchange, head_bytes as u64 + body_bytes?))
    }
}

impl Exchange {
    /// The answer to another request, if that is for another range and the same in all else.
    fn again(&self, request: &[u8], last: &LastDownload) -> Option<Answer> {
        let range = self.wanted(request)?;
        let (sender, len_bytes) = last.more()?;
        if range.end > len_bytes {
            return None;
        }
        let body = sender.piece_now(&range)?;
        let is_whole = body.len() as u64 == range.end - range.start;
        let head = self.head_for(&range, len_bytes);
        is_whole.then_some(Answer { head, body, written: 0, _sender: Some(sender) })
    }

    fn wanted(&self, request: &[u8]) -> Option<Range<u64>> {
        let Exchange { request: first, numbers, .. } = self;
        let rest = request.strip_prefix(&first[..numbers.start])?;
        let range = range(rest.strip_suffix(&first[numbers.end..])?)?;
        (range.end - range.start <= MOST_RANGE_BYTES).then_some(range)
    }

    fn head_for(&self, range: &Range<u64>, len_bytes: u64) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.head.len() + 192);
        head.extend_from_slice(&self.head);
        let mut id = Uuid::encode_buffer();
        let id = Uuid::new_v4().hyphenated().encode_lower(&mut id);
        let (first, last, length) = (range.start, range.end - 1, range.end - range.start);
        tracing::debug!(request.id = %id, first, last, "Range is answered below HTTP");
        write!(
            head,
            "content-range: bytes {first}-{last}/{len_bytes}\r\ncontent-length: {length}\r\n\
             x-request-id: {id}\r\n\r\n"
        )
        .expect("memory takes it");
        head
    }
}

impl Answer {
    /// One of nobody's download.
    #[cfg(test)]
    pub(crate) fn of(head: &'static [u8], body: &'static [u8]) -> Answer {
        Answer { head: head.to_vec(), body: Bytes::from_static(body), written: 0, _sender: None }
    }

    /// What is still to be written.
    pub(crate) fn left(&self) -> [IoSlice<'_>; 2] {
        let of_head = self.written.min(self.head.len());
        let of_body = self.written - of_head;
        [IoSlice::new(&self.head[of_head..]), IoSlice::new(&self.body[of_body..])]
    }

    pub(crate) fn is_written(&self) -> bool {
        self.written == self.head.len() + self.body.len()
    }

    /// So many bytes more have been written.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.written += bytes;
    }
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The lines of a head, without their ends.
fn lines(head: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let len = position(&head[start..], b"\r\n").filter(|len| *len > 0)?;
        let line = start..start + len;
        start = line.end + 2;
        Some(line)
    })
}

/// The name of a header and where its value is.
fn header(head: &[u8], line: Range<usize>) -> Option<(&[u8], Range<usize>)> {
    let colon = line.start + head[line.clone()].iter().position(|byte| *byte == b':')?;
    let spaces = head[colon + 1..line.end].iter().take_while(|byte| **byte == b' ').count();
    Some((&head[line.start..colon], colon + 1 + spaces..line.end))
}

/// Where the numbers of the one range are that the value of a header is about.
fn numbers_in(head: &[u8], value: Range<usize>) -> Option<Range<usize>> {
    let text = head[value.clone()].strip_prefix(b"bytes=")?;
    range(text)?;
    Some(value.end - text.len()..value.end)
}

/// `first-last`, with one byte at least.
fn range(text: &[u8]) -> Option<Range<u64>> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (number(&text[..dash])?, number(&text[dash + 1..])?);
    (first <= last).then_some(first..last.checked_add(1)?)
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests;
