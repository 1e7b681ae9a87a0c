//! One range after the other on one connection: a request like the last one is answered without
//! asking again who sends it and what they may fetch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use axum::response::Response;
use otaru_operations::{Admission, Sender};

use super::{Caching, Content, EntityTag, pieces, serve};
use crate::remote::X_FORWARDED_FOR;

/// The last image or patch that a connection was let fetch. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct LastDownload(Arc<Mutex<Last>>);

#[derive(Default)]
struct Last {
    remembered: Option<Arc<Remembered>>,
    /// Whether that was asked for by the last request of the connection.
    is_current: bool,
}

struct Remembered {
    asked: Asked,
    admission: Admission,
    tag: EntityTag,
    media_type: &'static str,
}

/// All of a request that says who asks for what, the certificate of its connection aside.
#[derive(PartialEq, Eq)]
pub(crate) struct Asked {
    uri: Uri,
    authorization: Option<HeaderValue>,
    forwarded_for: Option<HeaderValue>,
}

impl Asked {
    /// What a request asked; `None` where it is not to be remembered, as with the cookie of a
    /// browser, whose session is told of each use.
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Asked> {
        is_plain(method, headers).then(|| Asked {
            uri: uri.clone(),
            authorization: headers.get(header::AUTHORIZATION).cloned(),
            forwarded_for: headers.get(X_FORWARDED_FOR).cloned(),
        })
    }

    fn is(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        self.uri == *uri
            && self.authorization.as_ref() == headers.get(header::AUTHORIZATION)
            && self.forwarded_for.as_ref() == headers.get(X_FORWARDED_FOR)
    }
}

/// Only what is said once can be compared.
fn is_plain(method: &Method, headers: &HeaderMap) -> bool {
    let is_single = |name| headers.get_all(name).iter().nth(1).is_none();
    *method == Method::GET
        && !headers.contains_key(header::COOKIE)
        && is_single(header::AUTHORIZATION)
        && is_single(X_FORWARDED_FOR)
}

impl LastDownload {
    /// Keeps what was found out about a request.
    pub(crate) fn remember(&self, asked: Asked, admission: Admission, media_type: &'static str) {
        let tag = EntityTag::of(&admission.firmware().blob.digest());
        let remembered = Some(Arc::new(Remembered { asked, admission, tag, media_type }));
        *self.lock() = Last { remembered, is_current: true };
    }

    /// The answer to a request like the remembered one, but for its ranges and conditions.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let answer = self.like_the_last(request);
        self.lock().is_current = answer.is_some();
        answer
    }

    /// More of what the last request was for, and how long the whole is.
    pub(super) fn more(&self) -> Option<(Sender, u64)> {
        let last = self.lock();
        let remembered = last.remembered.as_ref().filter(|_| last.is_current)?.clone();
        drop(last);
        let sender = remembered.admission.more()?;
        Some((sender, remembered.admission.firmware().blob.len_bytes()))
    }

    fn like_the_last<B>(&self, request: &Request<B>) -> Option<Response> {
        let remembered = self.lock().remembered.clone()?;
        let headers = request.headers();
        if !is_plain(request.method(), headers) || !remembered.asked.is(request.uri(), headers) {
            return None;
        }
        let sender = remembered.admission.more()?;
        let blob = &remembered.admission.firmware().blob;
        let content = Content {
            tag: remembered.tag.clone(),
            len_bytes: blob.len_bytes(),
            media_type: remembered.media_type,
            caching: Caching::Private,
            elsewhere: None,
            open: Box::new(move |range| pieces(sender, range)),
        };
        Some(serve(content, request.method(), headers))
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        // It is replaced as a whole: what a panicking thread left is one or the other.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_the_same_words_from_the_same_place_are_the_same_question() {
        let path = Uri::from_static("/firmware/clock/1.0.5.bin?expires=5&signature=a");
        let first = headers(&[("authorization", "Bearer a"), ("range", "bytes=0-9")]);
        let asked = Asked::of(&Method::GET, &path, &first).unwrap();
        let again = headers(&[("authorization", "Bearer a"), ("range", "bytes=10-")]);
        assert!(asked.is(&path, &again));
        for (path, lines) in [
            (
                "/firmware/clock/1.0.5.bin?expires=5&signature=b",
                &[("authorization", "Bearer a")][..],
            ),
            ("/firmware/clock/1.0.5.bin?expires=5&signature=a", &[("authorization", "Bearer b")]),
            ("/firmware/clock/1.0.5.bin?expires=5&signature=a", &[]),
            (
                "/firmware/clock/1.0.5.bin?expires=5&signature=a",
                &[("authorization", "Bearer a"), ("x-forwarded-for", "192.0.2.1")],
            ),
        ] {
            assert!(!asked.is(&Uri::from_static(path), &headers(lines)), "{path} {lines:?}");
        }
    }

    #[test]
    fn what_says_more_is_not_remembered() {
        let path = Uri::from_static("/");
        assert!(Asked::of(&Method::HEAD, &path, &HeaderMap::new()).is_none());
        for lines in [
            &[("cookie", "a=b")][..],
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2")],
        ] {
            let mut all = HeaderMap::new();
            for (name, value) in lines {
                all.append(*name, HeaderValue::from_static(value));
            }
            assert!(Asked::of(&Method::GET, &path, &all).is_none(), "{lines:?}");
        }
    }
}
