//! `/app/sessions`: what lets the caller in.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, Page, SessionObject, end_other_sessions, end_session, list_sessions};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list, end_others)).routes(routes!(end))
}

/// The browsers that the caller is signed in with, and their tokens; the last used first.
#[utoipa::path(get, path = "/app/sessions", operation_id = "list_sessions", tag = "app",
    responses((status = 200, body = Page<SessionObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<Page<SessionObject>>, ApiError> {
    // Both kinds are limited: one page holds them all.
    let items = list_sessions(&app, &actor).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Ends all of them but the one that asks. A token ends no others, unless it is an administrator's.
#[utoipa::path(delete, path = "/app/sessions", operation_id = "end_other_sessions", tag = "app",
    responses((status = 204)))]
async fn end_others(State(app): State<App>, Caller(actor): Caller) -> Result<StatusCode, ApiError> {
    end_other_sessions(&app, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one of them. A token ends only itself, unless it is an administrator's.
#[utoipa::path(delete, path = "/app/sessions/{id}", operation_id = "end_session", tag = "app",
    params(("id" = String, Path, description = "Session id")), responses((status = 204)))]
async fn end(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    end_session(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
