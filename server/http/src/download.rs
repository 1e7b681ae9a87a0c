//! Serving immutable bytes: ranges, validators and nothing in between (RFC 9110 §13, §14).
//!
//! The entity tag is the SHA-256, so it is strong, and a device that resumes
//! with `If-Range` can never splice two images. Nothing here is compressed:
//! an encoding would change what the ranges count.

mod again;
mod conditions;
mod pieces;
pub(crate) mod range;
mod repeat;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use otaru_wire::Digest;
use url::Url;

use crate::ApiError;
pub(crate) use again::{Asked, LastDownload};
use conditions::Verdict;
pub(crate) use pieces::pieces;
use range::{ByteRange, Selected};
pub(crate) use repeat::{Answer, Repeats};

/// What a request may download.
pub(crate) struct Content {
    /// Of all its bytes.
    pub(crate) tag: EntityTag,
    /// How long it is.
    pub(crate) len_bytes: u64,
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Who may keep it.
    pub(crate) caching: Caching,
    /// Who else has the bytes, and is to be asked for them.
    pub(crate) elsewhere: Option<Url>,
    /// Opens the bytes of a range; called at most once.
    pub(crate) open: Open,
}

/// Starts reading a range, in small pieces.
pub(crate) type Open = Box<dyn FnOnce(std::ops::Range<u64>) -> Body + Send>;

/// What images are.
pub(crate) const IMAGE: &str = "application/octet-stream";

/// Why a body broke off.
type PieceError = Box<dyn std::error::Error + Send + Sync>;

/// The entity tag of content: its SHA-256, and so a strong one.
#[derive(Clone)]
pub(crate) struct EntityTag(HeaderValue);

impl EntityTag {
    pub(crate) fn of(digest: &Digest) -> EntityTag {
        EntityTag(header_value(&format!("\"{digest}\"")))
    }

    fn as_str(&self) -> &str {
        self.0.to_str().expect("hex digits in quotes")
    }
}

/// What caches between us and the client may do.
#[derive(Clone, Copy)]
pub(crate) enum Caching {
    /// Only the client itself, asking again each time: the release may be yanked.
    Private,
    /// Anybody, asking again each time.
    Public,
    /// Nobody: it was made for this moment.
    Never,
    /// Anybody, for ever: the path names these bytes and no others.
    Immutable,
}

impl Caching {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Caching::Private => "private, no-cache",
            Caching::Public => "public, no-cache",
            Caching::Never => "no-store",
            Caching::Immutable => "public, max-age=31536000, immutable",
        })
    }
}

impl Content {
    /// Content that is in memory already.
    pub(crate) fn of_bytes(bytes: Bytes, media_type: &'static str, caching: Caching) -> Content {
        let tag = EntityTag::of(&Digest::of(&bytes));
        let len_bytes = bytes.len() as u64;
        let open: Open = Box::new(move |range| {
            Body::from(bytes.slice(range.start as usize..range.end as usize))
        });
        Content { tag, len_bytes, media_type, caching, elsewhere: None, open }
    }
}

/// Headers that an answer has in the end: the map grows no more.
const MOST_HEADERS: usize = 16;

/// Answers a GET or HEAD for this content.
pub(crate) fn serve(content: Content, method: &Method, request: &HeaderMap) -> Response {
    let etag = content.tag.as_str();
    let verdict = conditions::evaluate(request, etag);
    let mut headers = HeaderMap::with_capacity(MOST_HEADERS);
    headers.insert(header::ETAG, content.tag.0.clone());
    headers.insert(header::CACHE_CONTROL, content.caching.header());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    match verdict {
        Verdict::Failed => return precondition_failed(etag).into_response(),
        Verdict::NotModified => return (StatusCode::NOT_MODIFIED, headers).into_response(),
        Verdict::Send => {}
    }
    if let Some(url) = content.elsewhere {
        return redirect(&url);
    }
    // Range handling is defined for GET alone, and only while the client still
    // means the bytes we have.
    let honours_range = method == Method::GET && conditions::range_is_meant(request, etag);
    let selected = match request.get(header::RANGE).filter(|_| honours_range) {
        Some(value) => range::select(value, content.len_bytes),
        None => Selected::Whole,
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content.media_type));
    let (status, part) = match selected {
        Selected::Whole => (StatusCode::OK, ByteRange::whole(content.len_bytes)),
        Selected::Part(part) => {
            let content_range = part.content_range(content.len_bytes);
            headers.insert(header::CONTENT_RANGE, header_value(&content_range));
            (StatusCode::PARTIAL_CONTENT, part)
        }
        Selected::Unsatisfiable => return unsatisfiable(content.len_bytes, request),
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.len_bytes()));
    let body = match method {
        &Method::HEAD => Body::empty(),
        _ => (content.open)(part.half_open()),
    };
    // Put together by hand: the tuple of them would insert every header once more.
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Nobody may keep the way: it ends, and what is withdrawn has none any more.
fn redirect(url: &Url) -> Response {
    let headers = [
        (header::LOCATION, header_value(url.as_str())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::FOUND, headers).into_response()
}

/// The status line has gone out by now: all that is left is to cut the
/// connection, which the server does, and to say why in the log.
fn log_failure(piece: &Result<Bytes, PieceError>) {
    if let Err(error) = piece {
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        tracing::error!(error, "Download broke off");
    }
}

fn precondition_failed(etag: &str) -> ApiError {
    let detail = "the content has another entity tag than If-Match names";
    ApiError::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
        .with_found(etag, "one of If-Match")
}

fn unsatisfiable(len_bytes: u64, request: &HeaderMap) -> Response {
    let asked = request.get(header::RANGE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let detail = format!("no byte of the range lies within {len_bytes} bytes");
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let error = ApiError::new(status, "range_unsatisfiable", detail)
        .with_found(asked, format!("a range within 0-{}", len_bytes.saturating_sub(1)));
    let content_range = [(header::CONTENT_RANGE, format!("bytes */{len_bytes}"))];
    (content_range, error).into_response()
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("made of what URLs and tags are made of")
}

#[cfg(test)]
mod tests;
