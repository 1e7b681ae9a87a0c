//! `/healthz` and `/readyz`, for whoever watches the server.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::site::{Readiness, Site};

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show_health)).routes(routes!(show_readiness))
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String)))]
async fn show_health() -> &'static str {
    "ok"
}

/// Everything listens.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = String)))]
async fn show_readiness(State(readiness): State<Readiness>) -> Result<&'static str, ApiError> {
    if readiness.is_ready() {
        return Ok("ready");
    }
    let detail = "the server is starting or stopping";
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail))
}
