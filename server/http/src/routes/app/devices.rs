//! `/app/devices`: the devices a person claimed.

use axum::extract::State;
use otaru_operations::{
    App, DeviceDetails, OwnDeviceObject, Page, claim_device, list_own_devices, set_device_details,
};
use otaru_wire::ThingName;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(list_own))
        .routes(routes!(claim))
        .routes(routes!(show_own, set_details))
}

/// The caller's devices, with what each can install.
#[utoipa::path(get, path = "/app/devices", operation_id = "list_own_devices", tag = "app",
    responses((status = 200, body = Page<OwnDeviceObject>)))]
async fn list_own(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<Page<OwnDeviceObject>>, ApiError> {
    // A person has a handful of devices: one page holds them all.
    let items = list_own_devices(&app, &actor, None).await?;
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
    let found = list_own_devices(&app, &actor, Some(thing.clone())).await?;
    let unknown = || otaru_operations::Refusal::DeviceUnknown(thing.to_string()).into();
    found.into_iter().next().map(Json).ok_or_else(unknown)
}

/// What an owner says about a device; a member left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetDeviceDetailsRequest {
    /// The owner's name for it.
    name: Option<String>,
    /// IANA time zone for "tonight", such as `Asia/Tokyo`.
    time_zone: Option<String>,
}

/// Names a device or sets its time zone.
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
    let details = DeviceDetails { name: request.name, time_zone: request.time_zone };
    Ok(Json(set_device_details(&app, &actor, thing, details).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClaimDeviceRequest {
    /// The code that came with the device; dashes and case do not matter.
    code: String,
}

/// Makes the caller the owner of the device that the code came with; installs nothing.
#[utoipa::path(post, path = "/app/devices/claim", operation_id = "claim_device", tag = "app",
    request_body = ClaimDeviceRequest, responses((status = 200, body = OwnDeviceObject)))]
async fn claim(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<ClaimDeviceRequest>,
) -> Result<Json<OwnDeviceObject>, ApiError> {
    Ok(Json(claim_device(&app, &actor, &request.code).await?))
}
