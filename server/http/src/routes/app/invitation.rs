//! `/app/invitation`: taking an invitation.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, UserObject, accept_invitation};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::remote::CameFrom;
use crate::routes::app::password_reset::LinkRequest;
use crate::session_cookie::{NotCrossSite, SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(accept))
}

/// Makes the invited a person with this password and signs them in.
#[utoipa::path(post, path = "/app/invitation", operation_id = "accept_invitation", tag = "session",
    request_body = LinkRequest, responses((status = 201, body = UserObject)))]
async fn accept(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    CameFrom(origin): CameFrom,
    cookie: SessionCookie,
    Json(request): Json<LinkRequest>,
) -> Result<(StatusCode, SetCookie, Json<UserObject>), ApiError> {
    let LinkRequest { code, password } = request;
    let signed_in = accept_invitation(&app, &origin, &code, password).await?;
    Ok((StatusCode::CREATED, cookie.keep(&signed_in), Json(signed_in.user)))
}
