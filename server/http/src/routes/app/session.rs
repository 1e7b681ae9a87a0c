//! `/app/session`: signing in and out.

use axum::extract::State;
use otaru_operations::{App, Password, UserObject, sign_in, sign_out};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::remote::CameFrom;
use crate::session_cookie::{NotCrossSite, OwnSessions, SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create, end))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    /// E-mail address.
    email: String,
    /// The person's password.
    #[schema(value_type = String, format = Password)]
    password: Password,
}

/// Signs a person in. The session that the browser had ends.
#[utoipa::path(post, path = "/app/session", operation_id = "sign_in", tag = "session",
    request_body = SignInRequest, responses((status = 200, body = UserObject)))]
async fn create(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    OwnSessions(replaced): OwnSessions,
    cookie: SessionCookie,
    Json(request): Json<SignInRequest>,
) -> Result<(SetCookie, Json<UserObject>), ApiError> {
    let SignInRequest { email, password } = request;
    let signed_in = sign_in(&app, &origin, &email, password, &replaced).await?;
    Ok((cookie.keep(&signed_in.session), Json(signed_in.user)))
}

/// Signs out; the answer is the same when nobody was signed in.
#[utoipa::path(delete, path = "/app/session", operation_id = "sign_out", tag = "session",
    responses((status = 204)))]
async fn end(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    OwnSessions(sessions): OwnSessions,
    cookie: SessionCookie,
) -> Result<SetCookie, ApiError> {
    for session in sessions {
        sign_out(&app, &origin, &session).await?;
    }
    Ok(cookie.clear())
}
