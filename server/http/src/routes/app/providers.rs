//! `/app/providers`: signing in by somebody else's word.

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use otaru_operations::{
    App, Begun, Came, OperationError, Page, ProviderObject, Returned, UserObject,
    begin_confirmation, begin_provider_sign_in, finish_provider_sign_in, list_providers,
    sign_out_by_provider, sign_up_with_token,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::flow_cookie::FlowCookie;
use crate::identity::{BearerText, Caller};
use crate::remote::CameFrom;
use crate::session_cookie::{NotCrossSite, OwnSessions, SessionCookie, SetCookie};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(begin))
        .routes(routes!(confirm))
        .routes(routes!(come_back))
        .routes(routes!(hear_sign_out))
        .routes(routes!(sign_up))
}

/// The identity providers that a browser can sign in with.
#[utoipa::path(get, path = "/app/providers", operation_id = "list_providers", tag = "session",
    responses((status = 200, body = Page<ProviderObject>)))]
async fn list(State(app): State<App>) -> Json<Page<ProviderObject>> {
    // An operator configures a handful: one page holds them all.
    Json(Page { items: list_providers(&app), next_cursor: None })
}

/// Where a browser comes back to.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReturnRequest {
    /// The path of a page of this server; its front page if not given.
    pub(super) return_to: Option<String>,
}

/// Where a browser goes next.
#[derive(Serialize, ToSchema)]
pub(super) struct AwayResponse {
    /// The provider's page.
    url: String,
}

/// Sends a browser away, with what it keeps meanwhile.
pub(super) fn away(cookie: &FlowCookie, begun: Begun) -> (SetCookie, Json<AwayResponse>) {
    (cookie.keep(&begun.kept), Json(AwayResponse { url: begun.url }))
}

/// Begins a sign-in at a provider: the answer says where the browser goes.
#[utoipa::path(post, path = "/app/providers/{provider}/sign-in",
    operation_id = "begin_provider_sign_in", tag = "session",
    params(("provider" = String, Path, description = "Name of the provider")),
    request_body = ReturnRequest, responses((status = 200, body = AwayResponse)))]
async fn begin(
    State(app): State<App>,
    NotCrossSite: NotCrossSite,
    Path(provider): Path<String>,
    cookie: FlowCookie,
    Json(request): Json<ReturnRequest>,
) -> Result<(SetCookie, Json<AwayResponse>), ApiError> {
    let begun = begin_provider_sign_in(&app, &provider, request.return_to).await?;
    Ok(away(&cookie, begun))
}

/// Has the caller prove anew at a provider who they are, before their account is deleted.
#[utoipa::path(post, path = "/app/providers/{provider}/confirm",
    operation_id = "begin_confirmation", tag = "app",
    params(("provider" = String, Path, description = "Name of the provider")),
    request_body = ReturnRequest, responses((status = 200, body = AwayResponse)))]
async fn confirm(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(provider): Path<String>,
    cookie: FlowCookie,
    Json(request): Json<ReturnRequest>,
) -> Result<(SetCookie, Json<AwayResponse>), ApiError> {
    let begun = begin_confirmation(&app, &actor, &provider, request.return_to).await?;
    Ok(away(&cookie, begun))
}

/// What a provider sends a browser back with.
#[derive(Deserialize, IntoParams)]
struct CallbackQuery {
    /// To be redeemed for a token.
    code: Option<String>,
    /// As the server gave it to the browser.
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// Who answers.
    iss: Option<String>,
}

/// Takes in a browser that comes back from a provider, and sends it on to its page; with
/// `?problem=CODE` if nothing came of it.
#[utoipa::path(get, path = "/app/providers/{provider}/callback",
    operation_id = "finish_provider_sign_in", tag = "session",
    params(("provider" = String, Path, description = "Name of the provider"), CallbackQuery),
    responses((status = 303)))]
async fn come_back(
    State(app): State<App>,
    CameFrom(origin): CameFrom,
    Path(provider): Path<String>,
    Query(query): Query<CallbackQuery>,
    OwnSessions(sessions): OwnSessions,
    (away, cookie): (FlowCookie, SessionCookie),
) -> Response {
    let CallbackQuery { code, state, error, iss } = query;
    let returned = Returned { code, error, issuer: iss };
    let (kept, state) = (away.kept.as_deref(), state.as_deref());
    let came = finish_provider_sign_in(&app, &origin, &provider, kept, state, returned, &sessions);
    let Came { return_to, outcome } = came.await;
    let (page, session) = match outcome {
        Ok(session) => (return_to, session),
        Err(error) => (with_problem(&return_to, error), None),
    };
    let page = HeaderValue::from_str(&page).unwrap_or(HeaderValue::from_static("/"));
    let on = (StatusCode::SEE_OTHER, away.clear(), [(header::LOCATION, page)]);
    match session {
        Some(signed_in) => (cookie.keep(&signed_in), on).into_response(),
        None => on.into_response(),
    }
}

/// The page, told by a code what went wrong. What a provider says of it is nowhere in it.
fn with_problem(page: &str, error: OperationError) -> String {
    let (path, fragment) = page.split_once('#').map_or((page, ""), |(path, rest)| (path, rest));
    let joint = if path.contains('?') { '&' } else { '?' };
    let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
    format!("{path}{joint}problem={}{fragment}", ApiError::from(error).code())
}

/// A provider's word that somebody signed out there.
#[derive(Deserialize, ToSchema)]
struct LogoutForm {
    /// The logout token.
    logout_token: String,
}

/// Ends the sessions of somebody who signed out at the provider (OpenID Connect Back-Channel
/// Logout 1.0).
#[utoipa::path(post, path = "/app/providers/{provider}/back-channel-logout",
    operation_id = "sign_out_by_provider", tag = "session",
    params(("provider" = String, Path, description = "Name of the provider")),
    request_body(content = LogoutForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200)))]
async fn hear_sign_out(
    State(app): State<App>,
    Path(provider): Path<String>,
    form: Result<Form<LogoutForm>, axum::extract::rejection::FormRejection>,
) -> Result<StatusCode, ApiError> {
    let Form(form) = form.map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "a form with `logout_token` is missing",
        )
    })?;
    sign_out_by_provider(&app, &provider, &form.logout_token).await?;
    Ok(StatusCode::OK)
}

/// Makes the person of a provider's token, if the provider's people may sign up; shows who is
/// known already. The token is the bearer.
#[utoipa::path(post, path = "/app/sign-up/token", operation_id = "sign_up_with_token",
    tag = "session", responses((status = 200, body = UserObject)))]
async fn sign_up(
    State(app): State<App>,
    CameFrom(origin): CameFrom,
    BearerText(token): BearerText,
) -> Result<Json<UserObject>, ApiError> {
    Ok(Json(sign_up_with_token(&app, &origin, &token).await?))
}

#[cfg(test)]
mod tests {
    use otaru_operations::Refusal;

    use super::*;

    #[test]
    fn a_problem_is_told_in_the_query() {
        let told = |page: &str| with_problem(page, Refusal::FlowUnknown.into());
        assert_eq!(told("/"), "/?problem=flow_unknown");
        assert_eq!(told("/a?b=c"), "/a?b=c&problem=flow_unknown");
        assert_eq!(told("/claim#CODE"), "/claim?problem=flow_unknown#CODE");
    }
}
