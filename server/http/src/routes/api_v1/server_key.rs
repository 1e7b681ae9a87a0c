//! `/api/v1/server-key`: the key that signs timestamps and orders.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, ServerKeyObject, create_server_key, show_server_key};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show, create))
}

/// The newest server key: its public half, to be named by a root document.
#[utoipa::path(get, path = "/api/v1/server-key", operation_id = "show_server_key",
    tag = "products", responses((status = 200, body = ServerKeyObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<ServerKeyObject>, ApiError> {
    Ok(Json(show_server_key(&app, &actor).await?))
}

/// Makes a server key. The one a product's root document names goes on signing for that product
/// until the next root document names the new one.
#[utoipa::path(post, path = "/api/v1/server-key", operation_id = "create_server_key",
    tag = "products", responses((status = 201, body = ServerKeyObject)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<(StatusCode, Json<ServerKeyObject>), ApiError> {
    Ok((StatusCode::CREATED, Json(create_server_key(&app, &actor).await?)))
}
