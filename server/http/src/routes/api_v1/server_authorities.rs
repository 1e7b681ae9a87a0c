//! `/api/v1/server-authorities`: the server's own, of which one signs.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, Page, PageRequest, ServerAuthorityObject, StandingDeviceObject,
    list_devices_of_server_authority, list_server_authorities, retire_server_authority,
    rotate_server_authority,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(rotate, list))
        .routes(routes!(retire))
        .routes(routes!(list_devices))
}

#[derive(Serialize, ToSchema)]
struct ServerAuthoritiesResponse {
    items: Vec<ServerAuthorityObject>,
}

/// The server's own authorities, oldest first, retired ones too; for administrators of `default`.
#[utoipa::path(get, path = "/api/v1/server-authorities", operation_id = "list_server_authorities",
    tag = "devices", responses((status = 200, body = ServerAuthoritiesResponse)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<ServerAuthoritiesResponse>, ApiError> {
    Ok(Json(ServerAuthoritiesResponse { items: list_server_authorities(&app, &actor).await? }))
}

/// Has a new authority sign from now on; the one before is believed until it is retired.
#[utoipa::path(post, path = "/api/v1/server-authorities",
    operation_id = "rotate_server_authority", tag = "devices",
    responses((status = 201, body = ServerAuthorityObject)))]
async fn rotate(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<(StatusCode, Json<ServerAuthorityObject>), ApiError> {
    Ok((StatusCode::CREATED, Json(rotate_server_authority(&app, &actor).await?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Forced {
    /// Although devices or claim certificates end with it.
    #[serde(default)]
    force: bool,
}

/// Believes an authority that signs no more not any longer, and ends the connections that stand on
/// its certificates.
#[utoipa::path(delete, path = "/api/v1/server-authorities/{fingerprint}",
    operation_id = "retire_server_authority", tag = "devices",
    params(("fingerprint" = String, Path, description = "SHA-256 of its certificate, in hex"), Forced),
    responses((status = 204)))]
async fn retire(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(fingerprint): Path<String>,
    Query(Forced { force }): Query<Forced>,
) -> Result<StatusCode, ApiError> {
    retire_server_authority(&app, &actor, fingerprint, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// How many at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Devices of all organisations that have a certificate of an authority, by name.
#[utoipa::path(get, path = "/api/v1/server-authorities/{fingerprint}/devices",
    operation_id = "list_devices_of_server_authority", tag = "devices",
    params(("fingerprint" = String, Path, description = "SHA-256 of its certificate, in hex"), Paging),
    responses((status = 200, body = Page<StandingDeviceObject>)))]
async fn list_devices(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(fingerprint): Path<String>,
    Query(Paging { limit, cursor }): Query<Paging>,
) -> Result<Json<Page<StandingDeviceObject>>, ApiError> {
    let page = PageRequest { limit, cursor };
    Ok(Json(list_devices_of_server_authority(&app, &actor, fingerprint, page).await?))
}
