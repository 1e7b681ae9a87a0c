//! `/api/v1/users`: people of the organisation.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, Page, Role, UserObject, add_user, list_users};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(add, list))
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
