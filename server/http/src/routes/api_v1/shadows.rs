//! `/api/v1/devices/{thing}/shadows`: which shadows a thing has, and what became of each.
//!
//! The documents themselves are at `/things/{thing}/shadow`, and a shadow is named as there.

use axum::extract::State;
use otaru_operations::{
    App, Page, PageRequest, ShadowChangeObject, ShadowObject, list_shadow_history, list_shadows,
};
use otaru_wire::{ShadowId, ShadowName, ThingName};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(history))
}

/// Shadows of a thing that are not deleted: the classic one, then the named ones by name.
///
/// The thing need not be a registered device.
#[utoipa::path(get, path = "/api/v1/devices/{thing}/shadows", operation_id = "list_shadows",
    tag = "shadows", params(("thing" = String, Path, description = "Thing name"), Paging),
    responses((status = 200, body = Page<ShadowObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ShadowObject>>, ApiError> {
    Ok(Json(list_shadows(&app, &actor, thing, paging.into()).await?))
}

/// Which part of which history is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Shadow name; the classic one without.
    #[param(value_type = Option<String>)]
    name: Option<ShadowName>,
    /// How many items at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// The last versions of a shadow, newest first: who made each, when, and of what.
///
/// How many are kept is a setting of the server. Those of a deleted shadow are kept, too.
#[utoipa::path(get, path = "/api/v1/devices/{thing}/shadow/history",
    operation_id = "list_shadow_history", tag = "shadows",
    params(("thing" = String, Path, description = "Thing name"), Wanted),
    responses((status = 200, body = Page<ShadowChangeObject>)))]
async fn history(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Query(Wanted { name, limit, cursor }): Query<Wanted>,
) -> Result<Json<Page<ShadowChangeObject>>, ApiError> {
    let (shadow, page) = (ShadowId { thing, name }, PageRequest { limit, cursor });
    Ok(Json(list_shadow_history(&app, &actor, shadow, page).await?))
}
