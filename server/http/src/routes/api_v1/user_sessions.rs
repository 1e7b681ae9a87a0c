//! `/api/v1/users/{id}/sessions` and `…/second-factor`: what lets a person in.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, Page, SecondFactorObject, SessionObject, end_user_session, list_user_sessions,
    reset_second_factor, show_second_factor_of, sign_out_user,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(list, sign_out))
        .routes(routes!(end))
        .routes(routes!(show_factor, reset_factor))
}

/// The browsers that a person is signed in with, and their tokens; the last used first.
#[utoipa::path(get, path = "/api/v1/users/{id}/sessions", operation_id = "list_user_sessions",
    tag = "people", params(("id" = String, Path, description = "User id")),
    responses((status = 200, body = Page<SessionObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Page<SessionObject>>, ApiError> {
    // Both kinds are limited: one page holds them all.
    let items = list_user_sessions(&app, &actor, id).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Ends all of them, but what the caller came in with.
#[utoipa::path(delete, path = "/api/v1/users/{id}/sessions", operation_id = "sign_out_user",
    tag = "people", params(("id" = String, Path, description = "User id")),
    responses((status = 204)))]
async fn sign_out(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    sign_out_user(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one of them.
#[utoipa::path(delete, path = "/api/v1/users/{id}/sessions/{session}",
    operation_id = "end_user_session", tag = "people",
    params(
        ("id" = String, Path, description = "User id"),
        ("session" = String, Path, description = "Session id")),
    responses((status = 204)))]
async fn end(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((id, session)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    end_user_session(&app, &actor, id, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a person has a second factor.
#[utoipa::path(get, path = "/api/v1/users/{id}/second-factor",
    operation_id = "show_second_factor_of", tag = "people",
    params(("id" = String, Path, description = "User id")),
    responses((status = 200, body = SecondFactorObject)))]
async fn show_factor(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<SecondFactorObject>, ApiError> {
    Ok(Json(show_second_factor_of(&app, &actor, id).await?))
}

/// Removes the second factor of a person who has lost it; their sessions end.
#[utoipa::path(delete, path = "/api/v1/users/{id}/second-factor",
    operation_id = "reset_second_factor", tag = "people",
    params(("id" = String, Path, description = "User id")), responses((status = 204)))]
async fn reset_factor(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    reset_second_factor(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
