//! `/api/v1/organisations`: who shares this server.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, OrganisationObject, Page, create_organisation, list_organisations};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create, list))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateOrganisationRequest {
    /// Unique on the server: one line of up to 64 characters.
    name: String,
    /// E-mail address of its first administrator.
    email: String,
}

#[derive(Serialize, ToSchema)]
struct CreateOrganisationResponse {
    /// The organisation.
    #[serde(flatten)]
    organisation: OrganisationObject,
    /// The invitation of its first administrator, for one use; in this answer and, if the
    /// server sends mail, in theirs.
    url: String,
    /// Until when the invitation can be taken.
    expires_at: String,
}

/// Makes an organisation and invites its first administrator.
///
/// Only for administrators of the organisation `default`, who run the server.
#[utoipa::path(post, path = "/api/v1/organisations", operation_id = "create_organisation",
    tag = "people", request_body = CreateOrganisationRequest,
    responses((status = 201, body = CreateOrganisationResponse)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<CreateOrganisationRequest>,
) -> Result<(StatusCode, Json<CreateOrganisationResponse>), ApiError> {
    let made = create_organisation(&app, &actor, &request.name, &request.email).await?;
    let answer = CreateOrganisationResponse {
        organisation: made.organisation,
        url: made.url,
        expires_at: made.expires_at,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Organisations by name: the caller's own, or all for administrators of `default`.
#[utoipa::path(get, path = "/api/v1/organisations", operation_id = "list_organisations",
    tag = "people", params(Paging), responses((status = 200, body = Page<OrganisationObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<OrganisationObject>>, ApiError> {
    Ok(Json(list_organisations(&app, &actor, paging.into()).await?))
}
