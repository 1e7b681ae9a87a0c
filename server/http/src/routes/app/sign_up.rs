//! `/app/sign-up`: a new owner, with the claim code of their device.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, OwnDeviceObject, Password, UserObject, sign_up};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::remote::CameFrom;
use crate::session_cookie::{NotCrossSite, SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignUpRequest {
    /// E-mail address, unique on the server.
    email: String,
    /// 10 to 200 characters.
    #[schema(value_type = String, format = Password)]
    password: Password,
    /// The code that came with the device; dashes and case do not matter.
    code: String,
}

#[derive(Serialize, ToSchema)]
struct SignUpResponse {
    /// The new owner.
    user: UserObject,
    /// Their device.
    device: OwnDeviceObject,
}

/// Makes an owner and the device theirs, and signs them in; installs nothing.
#[utoipa::path(post, path = "/app/sign-up", operation_id = "sign_up", tag = "session",
    request_body = SignUpRequest, responses((status = 201, body = SignUpResponse)))]
async fn create(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    cookie: SessionCookie,
    Json(request): Json<SignUpRequest>,
) -> Result<(StatusCode, SetCookie, Json<SignUpResponse>), ApiError> {
    let SignUpRequest { email, password, code } = request;
    let (signed_in, device) = sign_up(&app, &origin, &email, password, &code).await?;
    let cookie = cookie.keep(&signed_in);
    let answer = SignUpResponse { user: signed_in.user, device };
    Ok((StatusCode::CREATED, cookie, Json(answer)))
}
