//! `/app/user`, as a whole: all that is known of the caller, and its end.

use axum::extract::State;
use otaru_operations::{App, Password, UserExport, delete_own_account, export_own_account};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::Caller;
use crate::session_cookie::{SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(delete)).routes(routes!(export))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeleteRequest {
    /// The person's password; not needed shortly after they proved themselves anew at their
    /// provider.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Password>,
}

/// Deletes the caller's account: sessions, tokens and links end, devices become unclaimed.
#[utoipa::path(delete, path = "/app/user", operation_id = "delete_own_account", tag = "app",
    request_body = DeleteRequest, responses((status = 204)))]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    cookie: SessionCookie,
    Json(request): Json<DeleteRequest>,
) -> Result<SetCookie, ApiError> {
    delete_own_account(&app, &actor, request.password).await?;
    Ok(cookie.clear())
}

/// All that the server knows of the caller, without what proves who they are.
#[utoipa::path(get, path = "/app/user/export", operation_id = "export_own_account", tag = "app",
    responses((status = 200, body = UserExport)))]
async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<UserExport>, ApiError> {
    Ok(Json(export_own_account(&app, &actor).await?))
}
