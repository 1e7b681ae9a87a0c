//! `/api/v1/devices/{thing}/settings`: any setting, by who runs the fleet.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, Reach, apply_settings};
use otaru_wire::ThingName;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(apply))
}

/// Wishes settings for a device, those of operators too; a `null` takes one back.
#[utoipa::path(put, path = "/api/v1/devices/{thing}/settings", operation_id = "apply_device_settings",
    tag = "devices", params(("thing" = String, Path, description = "Thing name")),
    request_body = Object, responses((status = 204)))]
async fn apply(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Json(settings): Json<Map<String, Value>>,
) -> Result<StatusCode, ApiError> {
    apply_settings(&app, &actor, Reach::Fleet, thing, settings).await?;
    Ok(StatusCode::NO_CONTENT)
}
