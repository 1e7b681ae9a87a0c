//! All routes, in files that mirror their paths.

pub(crate) mod api_v1;
mod app;
mod authority;
mod docs;
mod enrolment;
mod firmware;
mod health;
mod listening;
mod things;
mod update_request;

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::{Extension, Router};
use otaru_operations::App;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

pub use authority::OfferedAuthority;
pub(crate) use things::DataPlaneError;

use crate::extract::MAX_JSON_BYTES;
use crate::site::{PlainPort, Readiness, Site};
use crate::{error, grpc, layers, openapi, web};

/// Everything for people and programs: the plain port and the HTTPS port.
pub fn router(app: App, readiness: Readiness, plain_port: PlainPort) -> Router {
    let (router, document) = api().split_for_parts();
    let site = Site::new(app, readiness, plain_port);
    let router = router.merge(openapi::routes(document)).merge(docs::routes());
    finish(router.merge(grpc::routes(site.clone())).merge(web::fallback()), site)
}

/// What devices may reach, on the port that asks for their certificate.
pub fn device_router(app: App, readiness: Readiness, plain_port: PlainPort) -> Router {
    let (router, _document) = shared().split_for_parts();
    finish(router.fallback(error::route_unknown), Site::new(app, readiness, plain_port))
}

/// Every route of [`router`] with its description.
pub(crate) fn api() -> OpenApiRouter<Site> {
    openapi::start()
        .merge(app::routes())
        .merge(api_v1::routes())
        .merge(authority::routes())
        .merge(shared())
}

/// The routes that devices and people share.
fn shared() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .merge(things::routes())
        .merge(firmware::routes())
        .merge(enrolment::routes())
        .merge(health::routes())
}

fn finish(router: Router<Site>, site: Site) -> Router {
    let trace_id = site.app.shadow_rules().dialect.errors_have_trace_id;
    router
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(Extension(things::ErrorsHaveTraceId(trace_id)))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(Extension(site.plain_port))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn(layers::frame))
        .with_state(site)
}
