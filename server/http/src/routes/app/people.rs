//! `/app/devices/{thing}/share` and `…/people`: a device with several people.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, Page, PersonObject, ShareCodeObject, list_people, remove_person, share_device,
};
use otaru_wire::ThingName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(share)).routes(routes!(list)).routes(routes!(remove))
}

/// Makes a code that shares the device with whoever enters it first, within a day.
#[utoipa::path(post, path = "/app/devices/{thing}/share", operation_id = "share_device", tag = "app",
    params(("thing" = String, Path, description = "Thing name")),
    responses((status = 201, body = ShareCodeObject)))]
async fn share(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<(StatusCode, Json<ShareCodeObject>), ApiError> {
    Ok((StatusCode::CREATED, Json(share_device(&app, &actor, thing).await?)))
}

/// Who may use the device: its owner, and those it is shared with.
#[utoipa::path(get, path = "/app/devices/{thing}/people", operation_id = "list_people", tag = "app",
    params(("thing" = String, Path, description = "Thing name")),
    responses((status = 200, body = Page<PersonObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<Json<Page<PersonObject>>, ApiError> {
    // At most twenty: one page holds them all.
    let items = list_people(&app, &actor, thing).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Ends the sharing of the device with a person.
#[utoipa::path(delete, path = "/app/devices/{thing}/people/{person}", operation_id = "remove_person",
    tag = "app",
    params(
        ("thing" = String, Path, description = "Thing name"),
        ("person" = String, Path, description = "User id")),
    responses((status = 204)))]
async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((thing, person)): Path<(ThingName, String)>,
) -> Result<StatusCode, ApiError> {
    remove_person(&app, &actor, thing, person).await?;
    Ok(StatusCode::NO_CONTENT)
}
