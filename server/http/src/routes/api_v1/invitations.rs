//! `/api/v1/invitations`: people to be.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, InvitationObject, Page, Role, invite_user, list_invitations, revoke_invitation,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(invite, list)).routes(routes!(revoke))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InviteUserRequest {
    /// E-mail address, unique on the server.
    email: String,
    /// `owner`, `viewer`, `publisher`, `operator` or `admin`.
    #[schema(value_type = String)]
    role: Role,
}

#[derive(Serialize, ToSchema)]
struct InviteUserResponse {
    /// The invitation.
    #[serde(flatten)]
    invitation: InvitationObject,
    /// The link, for one use; in this answer and, if the server sends mail, in theirs.
    url: String,
}

/// Invites somebody; an older invitation of the same address stops working.
#[utoipa::path(post, path = "/api/v1/invitations", operation_id = "invite_user", tag = "people",
    request_body = InviteUserRequest, responses((status = 201, body = InviteUserResponse)))]
async fn invite(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<InviteUserRequest>,
) -> Result<(StatusCode, Json<InviteUserResponse>), ApiError> {
    let (invitation, url) = invite_user(&app, &actor, &request.email, request.role).await?;
    Ok((StatusCode::CREATED, Json(InviteUserResponse { invitation, url })))
}

/// Invitations that can still be taken, by e-mail address.
#[utoipa::path(get, path = "/api/v1/invitations", operation_id = "list_invitations", tag = "people",
    params(Paging), responses((status = 200, body = Page<InvitationObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<InvitationObject>>, ApiError> {
    Ok(Json(list_invitations(&app, &actor, paging.into()).await?))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", operation_id = "revoke_invitation",
    tag = "people", params(("id" = String, Path, description = "Invitation id")),
    responses((status = 204)))]
async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    revoke_invitation(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
