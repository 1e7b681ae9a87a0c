//! `/app/user/identities`: the providers that know the caller.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, IdentitiesObject, begin_identity_link, list_identities, unlink_identity,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::providers::{AwayResponse, away};
use crate::ApiError;
use crate::extract::{Json, Path};
use crate::flow_cookie::FlowCookie;
use crate::identity::Caller;
use crate::session_cookie::SetCookie;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list, link)).routes(routes!(unlink))
}

/// The providers that know the caller, and those that could.
#[utoipa::path(get, path = "/app/user/identities", operation_id = "list_identities", tag = "app",
    responses((status = 200, body = IdentitiesObject)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<IdentitiesObject>, ApiError> {
    Ok(Json(list_identities(&app, &actor).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkRequest {
    /// Name of the provider.
    provider: String,
    /// The path of a page of this server to come back to; its front page if not given.
    return_to: Option<String>,
}

/// Begins to link what a provider calls the caller: the answer says where their browser goes.
#[utoipa::path(post, path = "/app/user/identities", operation_id = "begin_identity_link",
    tag = "app", request_body = LinkRequest, responses((status = 200, body = AwayResponse)))]
async fn link(
    State(app): State<App>,
    Caller(actor): Caller,
    cookie: FlowCookie,
    Json(request): Json<LinkRequest>,
) -> Result<(SetCookie, Json<AwayResponse>), ApiError> {
    let LinkRequest { provider, return_to } = request;
    let begun = begin_identity_link(&app, &actor, &provider, return_to).await?;
    Ok(away(&cookie, begun))
}

/// Ends a link, and the other sessions that were opened by it; the last way in stays.
#[utoipa::path(delete, path = "/app/user/identities/{id}", operation_id = "unlink_identity",
    tag = "app", params(("id" = String, Path, description = "Identity id")),
    responses((status = 204)))]
async fn unlink(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    unlink_identity(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
