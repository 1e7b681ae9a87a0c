//! What an HTTPS answer means for a patch, whose length nobody signed.

use otaru_agent::{Answer, Fault, content_range};
use otaru_wire::Reason;

use super::PatchRange;

/// What to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its body begins with the patch's first byte.
    Begins {
        /// Length of the patch, if it was said.
        total: Option<u32>,
    },
    /// Its body goes on where it was asked to.
    GoesOn,
    /// There is no patch.
    NoPatch,
    /// Nothing comes of it.
    Refuse(Reason),
    /// The server is busy, and says when it wants to be asked again. It would be no less so if it
    /// were asked for the image, which is longer.
    Later(Fault),
}

/// Reads the head of an answer. `known` is the patch's length, if it was said before; none
/// counts that is longer than `longest`.
pub(super) fn judge(
    asked: PatchRange,
    known: Option<u32>,
    longest: u32,
    answer: Answer<'_>,
) -> Verdict {
    let is_content = matches!(answer.status, 200 | 206);
    if is_content && answer.content_encoding.is_some_and(|encoding| encoding != "identity") {
        return Verdict::Refuse(Reason::ServerError);
    }
    let (start, total) = match answer.status {
        200 => (0, answer.content_length),
        206 => match answer.content_range.and_then(content_range) {
            Some((start, Some(total))) if start == u64::from(asked.offset) => (start, Some(total)),
            _ => return Verdict::Refuse(Reason::ContentChanged),
        },
        404 => return Verdict::NoPatch,
        301 | 302 | 303 | 307 | 308 => return Verdict::Refuse(Reason::ServerError),
        412 | 416 => return Verdict::Refuse(Reason::ContentChanged),
        429 | 503 if answer.retry_after_s.is_some() => return Verdict::Later(busy(answer)),
        _ => return Verdict::Refuse(Reason::ServerError),
    };
    if total.is_some_and(|total| total > u64::from(longest)) {
        return Verdict::Refuse(Reason::TooManyBytes);
    }
    let total = total.map(|total| total as u32);
    match start {
        0 => Verdict::Begins { total },
        _ if known.is_some() && known != total => Verdict::Refuse(Reason::ContentChanged),
        _ => Verdict::GoesOn,
    }
}

fn busy(answer: Answer<'_>) -> Fault {
    let retry_after_ms = answer.retry_after_s.map(|s| s.saturating_mul(1000));
    Fault { reason: Reason::ServerError, retry_after_ms }
}

/// A strong entity tag, as it is sent back in `If-Range`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ETag {
    bytes: [u8; ETag::BYTES_MAX],
    length: u8,
}

impl ETag {
    /// A SHA-256 in quotes, and some room.
    const BYTES_MAX: usize = 72;
    pub(super) const NONE: ETag = ETag { bytes: [0; ETag::BYTES_MAX], length: 0 };

    /// None where it is weak or longer than ours are.
    pub(super) fn of(header: Option<&str>) -> ETag {
        let mut etag = ETag::NONE;
        if let Some(header) = header.filter(|header| header.starts_with('"'))
            && let Some(place) = etag.bytes.get_mut(..header.len())
        {
            place.copy_from_slice(header.as_bytes());
            etag.length = header.len() as u8;
        }
        etag
    }

    pub(super) fn get(&self) -> Option<&str> {
        let bytes = &self.bytes[..usize::from(self.length)];
        core::str::from_utf8(bytes).ok().filter(|etag| !etag.is_empty())
    }

    /// Whether both are known and differ.
    pub(super) fn is_another(&self, than: &ETag) -> bool {
        self.get().is_some() && than.get().is_some() && self.get() != than.get()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    #[test]
    fn answer_table() {
        let status = |status| Answer { status, ..Answer::default() };
        let range = |text| Answer { content_range: Some(text), ..status(206) };
        let long = |length| Answer { content_length: Some(length), ..status(200) };
        let again_after = |code, s| Answer { retry_after_s: Some(s), ..status(code) };
        let fault = Fault { reason: Reason::ServerError, retry_after_ms: Some(7000) };
        let later = format!("Later({fault:?})");
        let table = [
            ("whole", 0, long(500), "Begins { total: Some(500) }"),
            ("whole, length unknown", 0, status(200), "Begins { total: None }"),
            ("whole instead of a rest", 90, long(400), "Begins { total: Some(400) }"),
            ("longer than the image", 0, long(1001), "Refuse(TooManyBytes)"),
            ("longer than anything", 0, long(1 << 40), "Refuse(TooManyBytes)"),
            ("table", 0, range("bytes 0-91/500"), "Begins { total: Some(500) }"),
            ("rest", 90, range("bytes 90-499/500"), "GoesOn"),
            ("part of the rest", 90, range("bytes 90-99/500"), "GoesOn"),
            ("another start", 90, range("bytes 0-499/500"), "Refuse(ContentChanged)"),
            ("another length", 90, range("bytes 90-498/499"), "Refuse(ContentChanged)"),
            ("no length", 90, range("bytes 90-499/*"), "Refuse(ContentChanged)"),
            ("no range", 0, status(206), "Refuse(ContentChanged)"),
            ("none", 0, status(404), "NoPatch"),
            ("refused range", 90, status(416), "Refuse(ContentChanged)"),
            ("moved twice", 0, status(302), "Refuse(ServerError)"),
            ("forbidden", 0, status(403), "Refuse(ServerError)"),
            ("down", 0, status(503), "Refuse(ServerError)"),
            ("down for a while", 90, again_after(503, 7), &later),
            ("too many", 0, again_after(429, 7), &later),
            ("too many, for no time it says", 0, status(429), "Refuse(ServerError)"),
            ("broken, and again after a while", 0, again_after(500, 7), "Refuse(ServerError)"),
            (
                "compressed",
                0,
                Answer { content_encoding: Some("gzip"), ..long(500) },
                "Refuse(ServerError)",
            ),
        ];
        for (name, offset, answer, expected) in table {
            let verdict = judge(PatchRange { offset, last: None }, Some(500), 1000, answer);
            assert_eq!(format!("{verdict:?}"), expected, "{name}");
        }
    }

    #[test]
    fn only_strong_tags_of_a_sane_length_are_sent_back() {
        let long = String::from_iter(['"'; 73]);
        for (header, expected) in [
            (Some("\"ab\""), Some("\"ab\"")),
            (Some("W/\"ab\""), None),
            (Some("ab"), None),
            (Some(long.as_str()), None),
            (None, None),
        ] {
            assert_eq!(ETag::of(header).get(), expected, "{header:?}");
        }
        let (one, other) = (ETag::of(Some("\"a\"")), ETag::of(Some("\"b\"")));
        assert!(one.is_another(&other) && !one.is_another(&one) && !one.is_another(&ETag::NONE));
    }
}
