//! `/api/v1/devices/{thing}/…`: what takes a device out of service, or puts another in its place.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, DeviceObject, allow_reprovisioning, decommission_device, replace_device,
};
use otaru_wire::ThingName;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, OptionalJson, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(decommission))
        .routes(routes!(replace))
        .routes(routes!(allow))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecommissionRequest {
    /// Whether it goes from lists and history, too, and its name is free.
    #[serde(default)]
    forget: bool,
}

/// Takes a device out of service: certificates, session, owner, codes and open update end.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/decommission",
    operation_id = "decommission_device", tag = "devices",
    params(("thing" = String, Path, description = "Thing name")),
    request_body = DecommissionRequest, responses((status = 204)))]
async fn decommission(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    OptionalJson(request): OptionalJson<DecommissionRequest>,
) -> Result<StatusCode, ApiError> {
    let DecommissionRequest { forget } = request.unwrap_or_default();
    decommission_device(&app, &actor, thing, forget).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplaceDeviceRequest {
    /// The device that takes its place: registered, of the same product, and nobody's.
    #[schema(value_type = String)]
    by: ThingName,
}

/// Puts another device in this one's place: owner, shares, rules and what is desired move to it,
/// and this one goes out of service.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/replace", operation_id = "replace_device",
    tag = "devices", params(("thing" = String, Path, description = "Thing name")),
    request_body = ReplaceDeviceRequest, responses((status = 200, body = DeviceObject)))]
async fn replace(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Json(request): Json<ReplaceDeviceRequest>,
) -> Result<Json<DeviceObject>, ApiError> {
    Ok(Json(replace_device(&app, &actor, thing, request.by).await?))
}

/// Lets another key take the device's name by provisioning, once within seven days.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/reprovisioning",
    operation_id = "allow_reprovisioning", tag = "devices",
    params(("thing" = String, Path, description = "Thing name")), responses((status = 204)))]
async fn allow(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<StatusCode, ApiError> {
    allow_reprovisioning(&app, &actor, thing).await?;
    Ok(StatusCode::NO_CONTENT)
}
