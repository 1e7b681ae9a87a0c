//! `/api/v1/devices/{thing}/update`: an operator's update of any device.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, Reach, UpdateObject, cancel_update, request_update, show_update};
use otaru_wire::ThingName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::routes::update_request::{RequestUpdateRequest, answer};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show, request, cancel))
}

/// The newest update of a device.
#[utoipa::path(get, path = "/api/v1/devices/{thing}/update", operation_id = "show_device_update",
    tag = "updates", params(("thing" = String, Path, description = "Thing name")),
    responses((status = 200, body = UpdateObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<Json<UpdateObject>, ApiError> {
    Ok(Json(show_update(&app, &actor, Reach::Fleet, thing).await?))
}

/// Asks for a device's move to a release.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/update", operation_id = "request_update",
    tag = "updates", params(("thing" = String, Path, description = "Thing name")),
    request_body = RequestUpdateRequest,
    responses(
        (status = 201, description = "A new update", body = UpdateObject),
        (status = 200, description = "The open one to the same version", body = UpdateObject)))]
async fn request(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Json(request): Json<RequestUpdateRequest>,
) -> Result<(StatusCode, Json<UpdateObject>), ApiError> {
    let RequestUpdateRequest { version, when } = request;
    let asked = request_update(&app, &actor, Reach::Fleet, thing, version, when.into()).await?;
    Ok(answer(asked))
}

/// Stops an update, if the device is not restarting into it yet.
#[utoipa::path(delete, path = "/api/v1/devices/{thing}/update", operation_id = "cancel_update",
    tag = "updates", params(("thing" = String, Path, description = "Thing name")),
    responses((status = 200, body = UpdateObject)))]
async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<Json<UpdateObject>, ApiError> {
    Ok(Json(cancel_update(&app, &actor, Reach::Fleet, thing).await?))
}
