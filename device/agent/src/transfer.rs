//! What an HTTPS answer means for a download. Pure, because every rule here was
//! once a bug in somebody's updater: spliced files, answers longer than the image.

use otaru_wire::Reason;

use crate::Fault;
use crate::json::whole_number;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// First byte wanted; a `Range` was sent unless it is 0.
    pub offset: u64,
    /// Length of the whole image, from the signed manifest.
    pub total: u64,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// `Content-Range`, as it came.
    pub content_range: Option<&'a str>,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    /// `Content-Encoding`, as it came.
    pub content_encoding: Option<&'a str>,
    /// `Retry-After` in seconds; a date counts as none.
    pub retry_after_s: Option<u64>,
}

/// What to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its body continues at the offset asked for.
    Append,
    /// Its body is the whole image, with what was asked for behind that offset.
    FromStart,
    /// It points elsewhere; one redirect is followed.
    Redirect,
    /// No image comes.
    Fail(Fault),
}

/// Reads the head of an answer to a download.
pub fn judge(asked: Asked, answer: Answer<'_>) -> Verdict {
    let fail = |reason| Verdict::Fail(Fault::from(reason));
    if matches!(answer.status, 200 | 206)
        && answer.content_encoding.is_some_and(|encoding| encoding != "identity")
    {
        return fail(Reason::ServerError);
    }
    match answer.status {
        206 => match answer.content_range.and_then(content_range) {
            Some((start, Some(total))) if start == asked.offset && total == asked.total => {
                Verdict::Append
            }
            _ => fail(Reason::ContentChanged),
        },
        // A file of another length cannot hash right: say so before a byte is written.
        200 if answer.content_length.is_some_and(|length| length != asked.total) => {
            fail(Reason::ContentChanged)
        }
        200 if asked.offset == 0 => Verdict::Append,
        200 => Verdict::FromStart,
        301 | 302 | 303 | 307 | 308 => Verdict::Redirect,
        412 | 416 => fail(Reason::ContentChanged),
        status => {
            let retry_after_ms = answer.retry_after_s.map(|s| s.saturating_mul(1000));
            Verdict::Fail(Fault { reason: reason_of_status(status), retry_after_ms })
        }
    }
}

/// The reason behind a status that brings no content.
pub(crate) fn reason_of_status(status: u16) -> Reason {
    match status {
        401 | 403 => Reason::DownloadForbidden,
        404 => Reason::ReleaseNotFound,
        410 => Reason::ReleaseGone,
        _ => Reason::ServerError,
    }
}

/// `bytes 100-199/1000` as start and total; `*` is no total.
pub fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = split_once(text.strip_prefix("bytes ")?, b'/')?;
    let (start, end) = split_once(range, b'-')?;
    let (start, end) = (whole_number(start)?, whole_number(end)?);
    let total = if total == "*" { None } else { Some(whole_number(total)?) };
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, total))
}

/// What stands before and behind the first such byte.
#[inline(never)] // A chip has room for it once.
fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = text.bytes().position(|byte| byte == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use expect_test::expect;

    use super::*;

    fn range(content_range: &str) -> Answer<'_> {
        Answer { status: 206, content_range: Some(content_range), ..Answer::default() }
    }

    fn status(status: u16) -> Answer<'static> {
        Answer { status, ..Answer::default() }
    }

    #[test]
    fn answer_table() {
        let answers = [
            ("the rest", 100, range("bytes 100-999/1000")),
            ("part of the rest", 100, range("bytes 100-199/1000")),
            ("another start", 100, range("bytes 0-999/1000")),
            ("another total", 100, range("bytes 100-1999/2000")),
            ("no total", 100, range("bytes 100-999/*")),
            ("past the end", 100, range("bytes 100-1000/1000")),
            ("206 without range", 100, status(206)),
            ("no numbers", 100, range("bytes x-y/z")),
            ("whole file", 0, status(200)),
            ("whole file instead", 100, status(200)),
            ("longer file", 100, Answer { content_length: Some(1001), ..status(200) }),
            ("compressed", 0, Answer { content_encoding: Some("gzip"), ..status(200) }),
            ("redirect", 0, status(302)),
            ("forbidden", 0, status(403)),
            ("unknown", 0, status(404)),
            ("yanked", 0, status(410)),
            ("range refused", 100, status(416)),
            ("too many", 0, Answer { retry_after_s: Some(7), ..status(429) }),
            ("down", 0, status(503)),
            ("teapot", 0, status(418)),
        ];
        let mut table = String::new();
        for (name, offset, answer) in answers {
            table += &match judge(Asked { offset, total: 1000 }, answer) {
                Verdict::Fail(Fault { reason, retry_after_ms: None }) => {
                    format!("{name}: {reason}\n")
                }
                Verdict::Fail(Fault { reason, retry_after_ms: Some(ms) }) => {
                    format!("{name}: {reason}, again after {ms} ms\n")
                }
                verdict => format!("{name}: {verdict:?}\n"),
            };
        }
        expect![[r#"
            the rest: Append
            part of the rest: Append
            another start: content_changed
            another total: content_changed
            no total: content_changed
            past the end: content_changed
            206 without range: content_changed
            no numbers: content_changed
            whole file: Append
            whole file instead: FromStart
            longer file: content_changed
            compressed: server_error
            redirect: Redirect
            forbidden: download_forbidden
            unknown: release_not_found
            yanked: release_gone
            range refused: content_changed
            too many: server_error, again after 7000 ms
            down: server_error
            teapot: server_error
        "#]]
        .assert_eq(&table);
    }
}
