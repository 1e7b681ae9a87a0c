//! `/app/setup`: the first administrator of a fresh server.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, Password, SetupObject, UserObject, set_up, show_setup};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::Newcomer;
use crate::remote::CameFrom;
use crate::session_cookie::{NotCrossSite, SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show, create))
}

#[derive(Serialize, ToSchema)]
struct ShowSetupResponse {
    #[serde(flatten)]
    setup: SetupObject,
    /// Whether the caller is signed in: a page asks here first, so that a visit of somebody
    /// who is not makes no failed request.
    signed_in: bool,
}

/// What a page must know before it shows anything: whether the server still has to be set up,
/// whether it sends mail, and whether the caller is signed in.
#[utoipa::path(get, path = "/app/setup", operation_id = "show_setup", tag = "session",
    responses((status = 200, body = ShowSetupResponse)))]
async fn show(
    State(app): State<App>,
    caller: Result<Newcomer, ApiError>,
) -> Result<Json<ShowSetupResponse>, ApiError> {
    let setup = show_setup(&app).await?;
    Ok(Json(ShowSetupResponse { setup, signed_in: caller.is_ok() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUpRequest {
    /// From the link that the server printed when it started.
    code: String,
    /// E-mail address of the first administrator.
    email: String,
    /// 10 to 200 characters.
    #[schema(value_type = String, format = Password)]
    password: Password,
}

/// Makes the first administrator and signs them in.
#[utoipa::path(post, path = "/app/setup", operation_id = "set_up", tag = "session",
    request_body = SetUpRequest, responses((status = 201, body = UserObject)))]
async fn create(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    cookie: SessionCookie,
    Json(request): Json<SetUpRequest>,
) -> Result<(StatusCode, SetCookie, Json<UserObject>), ApiError> {
    let SetUpRequest { code, email, password } = request;
    let signed_in = set_up(&app, &origin, &code, &email, password).await?;
    Ok((StatusCode::CREATED, cookie.keep(&signed_in), Json(signed_in.user)))
}
