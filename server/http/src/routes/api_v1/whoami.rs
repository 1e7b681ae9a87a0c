//! `/api/v1/whoami`: who a token speaks for.

use axum::extract::State;
use otaru_operations::{App, UserObject, show_user};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(whoami))
}

#[derive(Serialize, ToSchema)]
struct WhoamiResponse {
    /// Id of the organisation everything is looked up in.
    organisation: String,
    /// What the caller may do: `owner`, `viewer`, `publisher`, `operator` or `admin`.
    role: &'static str,
    /// The person the token acts for; null for a token of its own.
    user: Option<UserObject>,
}

/// Who the token speaks for.
#[utoipa::path(get, path = "/api/v1/whoami", operation_id = "whoami", tag = "people",
    responses((status = 200, body = WhoamiResponse)))]
async fn whoami(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<WhoamiResponse>, ApiError> {
    let user = match actor.user {
        Some(_) => Some(show_user(&app, &actor).await?),
        None => None,
    };
    let organisation = actor.scope.organisation().to_string();
    Ok(Json(WhoamiResponse { organisation, role: actor.role.as_str(), user }))
}
