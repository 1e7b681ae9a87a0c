//! `/app/devices`: the devices a person claimed.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, DeviceDetails, InstallChoice, OwnDeviceObject, Page, UpdateObject, claim_device,
    leave_device, list_own_devices, list_own_updates, set_device_details, show_own_device,
};
use otaru_wire::ThingName;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(list_own))
        .routes(routes!(claim))
        .routes(routes!(show_own, set_details, leave))
        .routes(routes!(list_updates))
}

/// The caller's devices, with what each can install.
#[utoipa::path(get, path = "/app/devices", operation_id = "list_own_devices", tag = "app",
    responses((status = 200, body = Page<OwnDeviceObject>)))]
async fn list_own(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<Page<OwnDeviceObject>>, ApiError> {
    // A person has a handful of devices: one page holds them all.
    let items = list_own_devices(&app, &actor).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// One of the caller's devices.
#[utoipa::path(get, path = "/app/devices/{thing}", operation_id = "show_own_device", tag = "app",
    params(("thing" = String, Path, description = "Thing name")),
    responses((status = 200, body = OwnDeviceObject)))]
async fn show_own(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<Json<OwnDeviceObject>, ApiError> {
    Ok(Json(show_own_device(&app, &actor, thing).await?))
}

/// Gives a device up, or leaves one that somebody else shares.
#[utoipa::path(delete, path = "/app/devices/{thing}", operation_id = "leave_device", tag = "app",
    params(("thing" = String, Path, description = "Thing name")), responses((status = 204)))]
async fn leave(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<StatusCode, ApiError> {
    leave_device(&app, &actor, thing).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Updates of one of the caller's devices since it is theirs, newest first.
#[utoipa::path(get, path = "/app/devices/{thing}/updates", operation_id = "list_own_updates",
    tag = "app", params(("thing" = String, Path, description = "Thing name"), Paging),
    responses((status = 200, body = Page<UpdateObject>)))]
async fn list_updates(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<UpdateObject>>, ApiError> {
    Ok(Json(list_own_updates(&app, &actor, thing, paging.into()).await?))
}

/// What an owner says about a device; a member left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetDeviceDetailsRequest {
    /// The owner's name for it.
    name: Option<String>,
    /// IANA time zone for "tonight", such as `Asia/Tokyo`.
    time_zone: Option<String>,
    /// What is to happen with new releases: `ask`, `night` or `always`.
    #[schema(value_type = Option<String>)]
    install: Option<InstallChoice>,
}

/// Names a device, sets its time zone, or says what is to happen with new releases.
#[utoipa::path(put, path = "/app/devices/{thing}", operation_id = "set_device_details", tag = "app",
    params(("thing" = String, Path, description = "Thing name")),
    request_body = SetDeviceDetailsRequest,
    responses((status = 200, body = OwnDeviceObject)))]
async fn set_details(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Json(request): Json<SetDeviceDetailsRequest>,
) -> Result<Json<OwnDeviceObject>, ApiError> {
    let SetDeviceDetailsRequest { name, time_zone, install } = request;
    let details = DeviceDetails { name, time_zone, install };
    Ok(Json(set_device_details(&app, &actor, thing, details).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClaimDeviceRequest {
    /// The code that came with the device, or that its owner gave; dashes and case do not matter.
    code: String,
}

/// Makes the caller the owner of the device that the code came with, or shares it with them;
/// installs nothing.
#[utoipa::path(post, path = "/app/devices/claim", operation_id = "claim_device", tag = "app",
    request_body = ClaimDeviceRequest, responses((status = 200, body = OwnDeviceObject)))]
async fn claim(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<ClaimDeviceRequest>,
) -> Result<Json<OwnDeviceObject>, ApiError> {
    Ok(Json(claim_device(&app, &actor, &request.code).await?))
}
