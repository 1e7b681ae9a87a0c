//! Who is asking. What they may do is decided by operations.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use otaru_operations::{
    Actor, App, DevicePrincipal, PeerCertificate, Refusal, authenticate_device, authenticate_token,
};

use crate::ApiError;
use crate::site::Site;

/// A person or a program, known by `Authorization: Bearer`.
pub(crate) struct Caller(pub(crate) Actor);

impl FromRequestParts<Site> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Caller, ApiError> {
        match bearer(&parts.headers) {
            Some(token) => Ok(Caller(authenticate_token(&site.app, token).await?)),
            None => Err(Refusal::Unauthenticated.into()),
        }
    }
}

/// Whoever asks, on the routes that devices and people share.
pub(crate) enum Visitor {
    /// A device, known by its certificate.
    Device(DevicePrincipal),
    /// A person or a program, known by a token.
    Person(Actor),
    /// Somebody who said nothing.
    Stranger,
}

impl FromRequestParts<Site> for Visitor {
    type Rejection = ApiError;

    /// A credential that does not hold is refused, not ignored: who sends one
    /// does not expect to be a stranger.
    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Visitor, ApiError> {
        if let Some(peer) = parts.extensions.get::<Arc<PeerCertificate>>() {
            return Ok(Visitor::Device(device(&site.app, peer).await?));
        }
        match bearer(&parts.headers) {
            Some(token) => Ok(Visitor::Person(authenticate_token(&site.app, token).await?)),
            None => Ok(Visitor::Stranger),
        }
    }
}

async fn device(app: &App, peer: &PeerCertificate) -> Result<DevicePrincipal, ApiError> {
    Ok(authenticate_device(app, &peer.serial, &peer.common_name).await?)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_bearer_token_is_one() {
        let token = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(token("Basic abc"), None);
        assert_eq!(token("Bearer"), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
