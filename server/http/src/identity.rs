//! Who is asking. What they may do is decided by operations.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use otaru_operations::{
    Actor, DevicePrincipal, OperationError, PeerCertificate, Refusal, authenticate_bearer,
    authenticate_device, authenticate_newcomer, authenticate_session,
};

use crate::ApiError;
use crate::extract::Preferred;
use crate::remote::CameFrom;
use crate::session_cookie::{check_same_site, session_secrets};
use crate::site::Site;
use crate::user_agent::browser;

/// A person or a program, known by `Authorization: Bearer` or by the cookie of a session.
pub(crate) struct Caller(pub(crate) Actor);

impl FromRequestParts<Site> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Caller, ApiError> {
        Ok(Caller(caller(parts, site, Let::WhoMayAll).await?))
    }
}

/// As [`Caller`], or somebody who must set up a second factor and may do that alone.
pub(crate) struct Newcomer(pub(crate) Actor);

impl FromRequestParts<Site> for Newcomer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Newcomer, ApiError> {
        Ok(Newcomer(caller(parts, site, Let::Newcomers).await?))
    }
}

/// Whose sessions are let in.
#[derive(Clone, Copy)]
enum Let {
    WhoMayAll,
    Newcomers,
}

async fn caller(parts: &mut Parts, site: &Site, whom: Let) -> Result<Actor, ApiError> {
    let actor = match bearer(&parts.headers) {
        Some(token) => Some(authenticate_bearer(&site.app, token).await?),
        None => signed_in(parts, site, whom).await?,
    };
    let actor = actor.ok_or(Refusal::Unauthenticated)?;
    let Ok(Preferred(language)) = Preferred::from_request_parts(parts, site).await;
    Ok(Actor { language, ..from(parts, actor) })
}

/// The actor of this request.
fn from(parts: &Parts, actor: Actor) -> Actor {
    let CameFrom(origin) = CameFrom::of(parts);
    Actor { origin, ..actor }
}

/// The person whose browser sent the request; `None` when no session of its cookie holds.
async fn signed_in(parts: &Parts, site: &Site, whom: Let) -> Result<Option<Actor>, ApiError> {
    let secrets = session_secrets(parts);
    if !secrets.is_empty() {
        check_same_site(parts, site)?;
    }
    for secret in secrets {
        let (app, browser) = (&site.app, browser(&parts.headers));
        let authenticated = match whom {
            Let::WhoMayAll => authenticate_session(app, secret, browser).await,
            Let::Newcomers => authenticate_newcomer(app, secret, browser).await,
        };
        match authenticated {
            Ok(actor) => return Ok(Some(actor)),
            Err(OperationError::Refused(Refusal::Unauthenticated)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Whoever asks, on the routes that devices and people share.
pub(crate) enum Visitor {
    /// A device, known by its certificate.
    Device(DevicePrincipal),
    /// A person or a program, known by a token or a session.
    Person(Actor),
    /// Somebody who said nothing.
    Stranger,
}

impl FromRequestParts<Site> for Visitor {
    type Rejection = ApiError;

    /// A certificate or token that does not hold is refused, not ignored: who sends one does
    /// not expect to be a stranger. A browser sends its cookie to whatever it asks for.
    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Visitor, ApiError> {
        if let Some(peer) = parts.extensions.get::<Arc<PeerCertificate>>() {
            return Ok(Visitor::Device(authenticate_device(&site.app, peer).await?));
        }
        if let Some(token) = bearer(&parts.headers) {
            let actor = authenticate_bearer(&site.app, token).await?;
            return Ok(Visitor::Person(from(parts, actor)));
        }
        let actor = signed_in(parts, site, Let::WhoMayAll).await?.map(|actor| from(parts, actor));
        Ok(actor.map_or(Visitor::Stranger, Visitor::Person))
    }
}

/// A device, known by its certificate, and which one that is.
pub(crate) struct DeviceCaller {
    pub(crate) device: DevicePrincipal,
    pub(crate) certificate: Arc<PeerCertificate>,
}

impl FromRequestParts<Site> for DeviceCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<DeviceCaller, ApiError> {
        let certificate =
            parts.extensions.get::<Arc<PeerCertificate>>().ok_or(Refusal::Unauthenticated)?;
        let device = authenticate_device(&site.app, certificate).await?;
        Ok(DeviceCaller { device, certificate: certificate.clone() })
    }
}

/// What a program sends as bearer, not looked at yet.
pub(crate) struct BearerText(pub(crate) String);

impl FromRequestParts<Site> for BearerText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _site: &Site) -> Result<BearerText, ApiError> {
        let text = bearer(&parts.headers).ok_or(Refusal::Unauthenticated)?;
        Ok(BearerText(text.to_owned()))
    }
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
