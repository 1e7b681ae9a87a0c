//! `/api/v1/users`: people of the organisation.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, Page, ResetLinkObject, Role, UserExport, UserObject, add_user, create_reset_link,
    export_user, find_user, list_users, remove_user, set_user_role,
};
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
        .routes(routes!(add, list))
        .routes(routes!(show, set_role, remove))
        .routes(routes!(create_link))
        .routes(routes!(export))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddUserRequest {
    /// E-mail address, unique on the server.
    email: String,
    /// `owner`, `viewer`, `publisher`, `operator` or `admin`.
    #[schema(value_type = String)]
    role: Role,
}

/// Adds a person.
#[utoipa::path(post, path = "/api/v1/users", operation_id = "add_user", tag = "people",
    request_body = AddUserRequest, responses((status = 201, body = UserObject)))]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<AddUserRequest>,
) -> Result<(StatusCode, Json<UserObject>), ApiError> {
    let user = add_user(&app, &actor, &request.email, request.role).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// People, by e-mail address.
#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "people",
    params(Paging), responses((status = 200, body = Page<UserObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<UserObject>>, ApiError> {
    Ok(Json(list_users(&app, &actor, paging.into()).await?))
}

/// One person.
#[utoipa::path(get, path = "/api/v1/users/{id}", operation_id = "find_user", tag = "people",
    params(("id" = String, Path, description = "User id")),
    responses((status = 200, body = UserObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<UserObject>, ApiError> {
    Ok(Json(find_user(&app, &actor, id).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUserRoleRequest {
    /// `owner`, `viewer`, `publisher`, `operator` or `admin`.
    #[schema(value_type = String)]
    role: Role,
}

/// Changes what a person may do, from their next request on.
#[utoipa::path(put, path = "/api/v1/users/{id}", operation_id = "set_user_role", tag = "people",
    params(("id" = String, Path, description = "User id")),
    request_body = SetUserRoleRequest, responses((status = 200, body = UserObject)))]
async fn set_role(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Json(request): Json<SetUserRoleRequest>,
) -> Result<Json<UserObject>, ApiError> {
    Ok(Json(set_user_role(&app, &actor, id, request.role).await?))
}

/// Removes a person: sessions and tokens end, devices become unclaimed.
#[utoipa::path(delete, path = "/api/v1/users/{id}", operation_id = "remove_user", tag = "people",
    params(("id" = String, Path, description = "User id")), responses((status = 204)))]
async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    remove_user(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a link with which a person chooses a new password, to be passed on by hand.
#[utoipa::path(post, path = "/api/v1/users/{id}/reset-link", operation_id = "create_reset_link",
    tag = "people", params(("id" = String, Path, description = "User id")),
    responses((status = 201, body = ResetLinkObject)))]
async fn create_link(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<ResetLinkObject>), ApiError> {
    Ok((StatusCode::CREATED, Json(create_reset_link(&app, &actor, id).await?)))
}

/// All that the server knows of a person, without what proves who they are.
#[utoipa::path(get, path = "/api/v1/users/{id}/export", operation_id = "export_user",
    tag = "people", params(("id" = String, Path, description = "User id")),
    responses((status = 200, body = UserExport)))]
async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<UserExport>, ApiError> {
    Ok(Json(export_user(&app, &actor, id).await?))
}
