//! One GET over an open connection.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use embassy_time::{Instant, with_timeout};
use embedded_io_async::Write;
use embedded_tls::TlsError;
use otaru_agent::Answer;
use otaru_host::Rate;
use otaru_wire::Reason;

use crate::link::{SILENCE_LIMIT, Tls, room};

const HEAD_BYTES_MAX: usize = 4096;
const PART_BYTES: usize = 2048;

/// What is asked for.
pub(crate) struct Ask<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    /// The value of `Range`, and of `If-Range` where there is one.
    pub(crate) range: Option<(String, Option<String>)>,
}

/// The head of an answer.
#[derive(Debug, Default)]
pub(crate) struct Head {
    status: u16,
    content_length: Option<u64>,
    content_range: Option<String>,
    content_encoding: Option<String>,
    retry_after_s: Option<u64>,
    pub(crate) etag: Option<String>,
    is_chunked: bool,
}

impl Head {
    /// The head as the agent judges it.
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            content_range: self.content_range.as_deref(),
            content_length: self.content_length,
            content_encoding: self.content_encoding.as_deref(),
            retry_after_s: self.retry_after_s,
        }
    }

    fn parse(text: &str) -> Option<Head> {
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let mut head = Head { status, ..Head::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            let text = || Some(value.to_string());
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.content_length = Some(value.parse().ok()?),
                "content-range" => head.content_range = text(),
                "content-encoding" => head.content_encoding = text(),
                "retry-after" => head.retry_after_s = value.parse().ok(),
                "etag" => head.etag = text(),
                "transfer-encoding" => head.is_chunked = true,
                _ => {}
            }
        }
        Some(head)
    }
}

/// A body, as it comes.
pub(crate) struct Body<'t, 'a> {
    tls: &'t mut Tls<'a>,
    /// What came with the head.
    held: Vec<u8>,
    /// How much there is still to come, where the server said so.
    left: Option<u64>,
    buffer: Vec<u8>,
    rate: Rate,
    down: Reason,
}

/// Asks, and reads the head of the answer.
pub(crate) async fn get<'t, 'a>(
    tls: &'t mut Tls<'a>,
    ask: &Ask<'_>,
    down: Reason,
) -> Result<(Head, Body<'t, 'a>), Reason> {
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: otaru-firmware\r\nConnection: close\r\n",
        ask.path, ask.host
    );
    if let Some((range, if_range)) = &ask.range {
        request += &format!("Range: {range}\r\n");
        if let Some(etag) = if_range {
            request += &format!("If-Range: {etag}\r\n");
        }
    }
    request += "\r\n";
    let asked = async {
        tls.write_all(request.as_bytes()).await?;
        tls.flush().await
    };
    with_timeout(SILENCE_LIMIT, asked).await.map_err(|_| down)?.map_err(|_| down)?;
    let rate = Rate::begin(Instant::now().as_millis());
    let buffer = room(PART_BYTES)?;
    let mut body = Body { tls, held: Vec::new(), left: None, buffer, rate, down };
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let part = body.read(PART_BYTES).await?;
        if part.is_empty() {
            return Err(down);
        }
        if head.len() + part.len() > HEAD_BYTES_MAX {
            return Err(Reason::ServerError);
        }
        head.extend_from_slice(part);
    };
    body.held = head.split_off(end + 4);
    let head = core::str::from_utf8(&head[..end]).ok().and_then(Head::parse);
    let head = head.filter(|head| !head.is_chunked).ok_or(Reason::ServerError)?;
    body.left = head.content_length;
    Ok((head, body))
}

impl Body<'_, '_> {
    /// The next part, of at most so many bytes; empty at the end.
    pub(crate) async fn read(&mut self, most: usize) -> Result<&[u8], Reason> {
        if self.left == Some(0) {
            return Ok(&[]);
        }
        if !self.held.is_empty() {
            let rest = self.held.split_off(self.held.len().min(most));
            self.buffer = core::mem::replace(&mut self.held, rest);
            let length = self.buffer.len();
            return Ok(self.count(length));
        }
        if self.buffer.len() < PART_BYTES {
            self.buffer = room(PART_BYTES)?;
        }
        let most = most.min(PART_BYTES);
        let read = with_timeout(SILENCE_LIMIT, self.tls.read(&mut self.buffer[..most])).await;
        match read.map_err(|_| Reason::DownloadStalled)? {
            Ok(0) | Err(TlsError::ConnectionClosed) => match self.left {
                None => Ok(&[]),
                Some(_) => Err(self.down),
            },
            Ok(length) => {
                self.rate.note(Instant::now().as_millis(), length)?;
                Ok(self.count(length))
            }
            Err(_) => Err(self.down),
        }
    }

    fn count(&mut self, length: usize) -> &[u8] {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(length as u64);
        }
        &self.buffer[..length]
    }
}

#[cfg(test)]
mod tests {
    use otaru_agent::{Asked, Fault, Verdict, judge};

    use super::*;

    /// What the agent makes of an answer with this status, which says when to come again.
    fn fault(status: u16) -> Fault {
        let text = format!("HTTP/1.1 {status} Because\r\nContent-Length: 0\r\nRetry-After:  120 ");
        let head = Head::parse(&text).expect("a head");
        match judge(Asked { offset: 0, total: 1000 }, head.answer()) {
            Verdict::Fail(fault) => fault,
            verdict => panic!("{status}: {verdict:?}"),
        }
    }

    #[test]
    fn every_status_without_content_has_a_reason() {
        let named = [
            (401, Reason::DownloadForbidden),
            (403, Reason::DownloadForbidden),
            (404, Reason::ReleaseNotFound),
            (410, Reason::ReleaseGone),
            (412, Reason::ContentChanged),
            (416, Reason::ContentChanged),
        ];
        for status in 400..600 {
            let found = named.iter().find(|(named, _)| *named == status);
            let expected = found.map_or(Reason::ServerError, |(_, reason)| *reason);
            assert_eq!(fault(status).reason, expected, "{status}");
        }
    }

    #[test]
    fn a_server_that_is_busy_says_when_to_come_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(fault(status).retry_after_ms, Some(120_000), "{status}");
        }
        let date = "HTTP/1.1 503 Busy\r\nretry-after: Fri, 27 Nov 2026 12:00:00 GMT";
        assert_eq!(Head::parse(date).expect("a head").retry_after_s, None);
    }
}
