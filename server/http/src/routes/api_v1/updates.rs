//! `/api/v1/updates`: every update of the fleet.

use axum::extract::State;
use otaru_operations::{
    App, Page, PageRequest, TracedUpdateObject, UpdateObject, find_update, list_updates,
    trace_update,
};
use otaru_wire::{ThingName, UpdateId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(show)).routes(routes!(trace))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only of this device.
    #[param(value_type = Option<String>)]
    thing: Option<ThingName>,
    /// How many at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Updates, newest first.
#[utoipa::path(get, path = "/api/v1/updates", operation_id = "list_updates", tag = "updates",
    params(Wanted), responses((status = 200, body = Page<UpdateObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Wanted { thing, limit, cursor }): Query<Wanted>,
) -> Result<Json<Page<UpdateObject>>, ApiError> {
    let page = PageRequest { limit, cursor };
    Ok(Json(list_updates(&app, &actor, thing, page).await?))
}

/// One update.
#[utoipa::path(get, path = "/api/v1/updates/{id}", operation_id = "find_update", tag = "updates",
    params(("id" = String, Path, description = "Update id")),
    responses((status = 200, body = UpdateObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<UpdateId>,
) -> Result<Json<UpdateObject>, ApiError> {
    Ok(Json(find_update(&app, &actor, id).await?))
}

/// An update of a device with the phases it went through.
#[utoipa::path(get, path = "/api/v1/devices/{thing}/updates/{id}", operation_id = "trace_update",
    tag = "updates",
    params(("thing" = String, Path, description = "Thing name"),
        ("id" = String, Path, description = "Update id")),
    responses((status = 200, body = TracedUpdateObject)))]
async fn trace(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((thing, id)): Path<(ThingName, UpdateId)>,
) -> Result<Json<TracedUpdateObject>, ApiError> {
    Ok(Json(trace_update(&app, &actor, thing, id).await?))
}
