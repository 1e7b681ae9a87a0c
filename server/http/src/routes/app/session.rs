//! `/app/session`: signing in and out.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use otaru_operations::{App, Password, UserObject, sign_in, sign_in_with_code, sign_out};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::remote::CameFrom;
use crate::session_cookie::{NotCrossSite, OwnSessions, SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create, end)).routes(routes!(go_on))
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
///
/// Whoever has a second factor is answered with 401 `second_factor_required` and a `challenge`, for
/// `POST /app/session/second-factor`.
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
    Ok((cookie.keep(&signed_in), Json(signed_in.user)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInWithCodeRequest {
    /// From the answer to the password; it holds for five minutes.
    challenge: String,
    /// Six digits of the authenticator app, or a recovery code.
    code: String,
}

/// Signs a person in whose password was right, with a code of their second factor.
#[utoipa::path(post, path = "/app/session/second-factor", operation_id = "sign_in_with_code",
    tag = "session", request_body = SignInWithCodeRequest,
    responses((status = 200, body = UserObject)))]
async fn go_on(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    OwnSessions(replaced): OwnSessions,
    cookie: SessionCookie,
    Json(request): Json<SignInWithCodeRequest>,
) -> Result<(SetCookie, Json<UserObject>), ApiError> {
    let SignInWithCodeRequest { challenge, code } = request;
    let signed_in = sign_in_with_code(&app, &origin, &challenge, &code, &replaced).await?;
    Ok((cookie.keep(&signed_in), Json(signed_in.user)))
}

/// Where a browser goes on.
#[derive(Serialize, ToSchema)]
struct SignedOutResponse {
    /// The page of the provider that signed it in, where it signs out there, too.
    url: String,
}

/// Signs out; the answer is the same when nobody was signed in.
///
/// It has a body where the provider that opened the session has a page to sign out at.
#[utoipa::path(delete, path = "/app/session", operation_id = "sign_out", tag = "session",
    responses((status = 204), (status = 200, body = SignedOutResponse)))]
async fn end(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    OwnSessions(sessions): OwnSessions,
    cookie: SessionCookie,
) -> Result<Response, ApiError> {
    let mut url = None;
    for session in sessions {
        url = sign_out(&app, &origin, &session).await?.or(url);
    }
    Ok(match url {
        Some(url) => (cookie.clear(), Json(SignedOutResponse { url })).into_response(),
        None => cookie.clear().into_response(),
    })
}
