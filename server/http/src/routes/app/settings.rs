//! `/app/devices/{thing}/settings`: any setting, through the shadow.

use axum::extract::State;
use otaru_operations::{App, OwnDeviceObject, Reach, apply_settings, show_own_device};
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

/// Wishes settings for one of the caller's devices; a `null` takes one back.
#[utoipa::path(put, path = "/app/devices/{thing}/settings", operation_id = "apply_settings", tag = "app",
    params(("thing" = String, Path, description = "Thing name")),
    request_body = Object, responses((status = 200, body = OwnDeviceObject)))]
async fn apply(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Json(settings): Json<Map<String, Value>>,
) -> Result<Json<OwnDeviceObject>, ApiError> {
    apply_settings(&app, &actor, Reach::Own, thing.clone(), settings).await?;
    Ok(Json(show_own_device(&app, &actor, thing).await?))
}
