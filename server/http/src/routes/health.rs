//! `/healthz` and `/readyz`, for whoever watches the server.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::identity::Caller;
use crate::site::{PlainPort, Readiness, Site};

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show_health)).routes(routes!(show_readiness))
}

/// Somebody of this machine, or with a token.
struct Watcher;

/// What a proxy says when it hands on a request of somebody else.
const HANDED_ON: [HeaderName; 3] =
    [header::FORWARDED, header::VIA, HeaderName::from_static("x-forwarded-for")];

impl FromRequestParts<Site> for Watcher {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Watcher, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        if site.plain_port == PlainPort::Direct && is_of_this_machine(peer, &parts.headers) {
            return Ok(Watcher);
        }
        Caller::from_request_parts(parts, site).await.map(|_| Watcher)
    }
}

fn is_of_this_machine(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !HANDED_ON.iter().any(|name| headers.contains_key(name))
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String)))]
async fn show_health(_: Watcher) -> &'static str {
    "ok"
}

/// Everything listens.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = String)))]
async fn show_readiness(
    _: Watcher,
    State(readiness): State<Readiness>,
) -> Result<&'static str, ApiError> {
    if readiness.is_ready() {
        return Ok("ready");
    }
    let detail = "the server is starting or stopping";
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail))
}
