use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use otaru_operations::Language;

/// The language that a browser prefers among ours, if it says one.
pub(crate) struct Preferred(pub(crate) Option<Language>);

impl<S: Send + Sync> FromRequestParts<S> for Preferred {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Preferred, Infallible> {
        let header = parts.headers.get(header::ACCEPT_LANGUAGE);
        Ok(Preferred(header.and_then(|text| Language::accepted(text.to_str().ok()?))))
    }
}
