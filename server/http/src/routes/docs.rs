//! `/docs`: the API to read and to try, for people. The page is part of the
//! binary, so it works without the internet.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware;
use axum::response::Response;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::site::Site;

/// Swagger UI styles its elements one by one and draws its icons from `data:`;
/// scripts and requests stay with this server.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

pub(super) fn routes() -> Router<Site> {
    // Without this the page asks a public service to validate the description.
    let config = Config::from("/openapi.json").validator_url("none");
    Router::from(SwaggerUi::new("/docs").config(config)).layer(middleware::map_response(relax))
}

async fn relax(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}
