//! `/app/password-reset`: for who forgot their password.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, Password, UserObject, request_password_reset, reset_password};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Preferred};
use crate::remote::CameFrom;
use crate::session_cookie::{NotCrossSite, SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(request_reset, reset))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RequestPasswordResetRequest {
    /// E-mail address.
    email: String,
}

/// Mails a link; the answer is the same when nobody has this address.
#[utoipa::path(post, path = "/app/password-reset", operation_id = "request_password_reset",
    tag = "session", request_body = RequestPasswordResetRequest, responses((status = 202)))]
async fn request_reset(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    Preferred(language): Preferred,
    Json(request): Json<RequestPasswordResetRequest>,
) -> Result<StatusCode, ApiError> {
    request_password_reset(&app, &origin, &request.email, language).await?;
    Ok(StatusCode::ACCEPTED)
}

/// What a link is used with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkRequest {
    /// What stands after `#` in the link.
    pub(super) code: String,
    /// The new password: 10 to 200 characters.
    #[schema(value_type = String, format = Password)]
    pub(super) password: Password,
}

/// Sets a new password and signs the person in; every other session of theirs ends.
#[utoipa::path(put, path = "/app/password-reset", operation_id = "reset_password", tag = "session",
    request_body = LinkRequest, responses((status = 200, body = UserObject)))]
async fn reset(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    cookie: SessionCookie,
    Json(request): Json<LinkRequest>,
) -> Result<(SetCookie, Json<UserObject>), ApiError> {
    let LinkRequest { code, password } = request;
    let signed_in = reset_password(&app, &origin, &code, password).await?;
    Ok((cookie.keep(&signed_in), Json(signed_in.user)))
}
