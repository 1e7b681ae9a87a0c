//! Conditional requests (RFC 9110 §13). We send no `Last-Modified`, so dates never match.

use axum::http::{HeaderMap, HeaderValue, header};

/// What the conditions of a GET or HEAD come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send the content.
    Send,
    /// The client has it already: 304.
    NotModified,
    /// The client wants something else: 412.
    Failed,
}

/// Evaluates `If-Match`, then `If-None-Match`, in the order of RFC 9110 §13.2.2.
pub(super) fn evaluate(request: &HeaderMap, etag: &str) -> Verdict {
    if request.contains_key(header::IF_MATCH) && !names(request, header::IF_MATCH, etag, false) {
        return Verdict::Failed;
    }
    match names(request, header::IF_NONE_MATCH, etag, true) {
        true => Verdict::NotModified,
        false => Verdict::Send,
    }
}

/// Whether a `Range` header still means what the client thinks: `If-Range` is
/// absent or is exactly our strong tag.
pub(super) fn range_is_meant(request: &HeaderMap, etag: &str) -> bool {
    request.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes())
}

/// Whether a list of entity tags holds `*` or our tag. Weak comparison ignores `W/`.
fn names(request: &HeaderMap, header: header::HeaderName, etag: &str, weak: bool) -> bool {
    request.get_all(header).iter().filter_map(|value: &HeaderValue| value.to_str().ok()).any(
        |list| {
            list.split(',').map(str::trim).any(|tag| {
                let tag = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
                tag == "*" || tag == etag
            })
        },
    )
}
