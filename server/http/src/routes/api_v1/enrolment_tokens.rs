//! `/api/v1/enrolment-tokens`: tokens with which devices that keep their key become things.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use otaru_operations::{
    App, EnrolmentTokenObject, NewEnrolment, NewEnrolmentToken, Page, create_enrolment_token,
    list_enrolment_tokens, revoke_enrolment_token,
};
use otaru_wire::{ProductName, ThingName};
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
    OpenApiRouter::default().routes(routes!(create, list)).routes(routes!(revoke))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateEnrolmentTokenRequest {
    /// Thing name, at most 64 characters; not registered yet.
    #[schema(value_type = String)]
    thing: ThingName,
    /// What kind of device it is.
    #[schema(value_type = String)]
    product: ProductName,
    /// When it stops working, RFC 3339: within 365 days.
    #[schema(value_type = String)]
    expires_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
struct CreateEnrolmentTokenResponse {
    /// The token's record.
    #[serde(flatten)]
    record: EnrolmentTokenObject,
    /// The token itself; in this answer and nowhere else.
    token: String,
    /// Where the device sends its request.
    device_url: String,
    /// The authority it trusts for that, PEM.
    ca_pem: String,
    /// The root key it will trust for firmware, as `root.pub`: it is to know that from here, and
    /// not from whoever answers it.
    root_pub: String,
}

/// Makes a token for one device that keeps its key.
#[utoipa::path(post, path = "/api/v1/enrolment-tokens", operation_id = "create_enrolment_token",
    tag = "devices", request_body = CreateEnrolmentTokenRequest,
    responses((status = 201, body = CreateEnrolmentTokenResponse)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<CreateEnrolmentTokenRequest>,
) -> Result<(StatusCode, Json<CreateEnrolmentTokenResponse>), ApiError> {
    let CreateEnrolmentTokenRequest { thing, product, expires_at } = request;
    let expires_at = expires_at.timestamp_millis();
    let new = NewEnrolmentToken { thing, product, expires_at };
    let NewEnrolment { record, secret, root_pub } =
        create_enrolment_token(&app, &actor, new).await?;
    let answer = CreateEnrolmentTokenResponse {
        record,
        token: secret.as_str().to_owned(),
        device_url: app.urls().device_url,
        ca_pem: app.ca_pem(),
        root_pub,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Enrolment tokens, oldest first.
#[utoipa::path(get, path = "/api/v1/enrolment-tokens", operation_id = "list_enrolment_tokens",
    tag = "devices", params(Paging), responses((status = 200, body = Page<EnrolmentTokenObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<EnrolmentTokenObject>>, ApiError> {
    Ok(Json(list_enrolment_tokens(&app, &actor, paging.into()).await?))
}

/// Stops a token from working; a device that used it stays.
#[utoipa::path(delete, path = "/api/v1/enrolment-tokens/{id}",
    operation_id = "revoke_enrolment_token", tag = "devices",
    params(("id" = String, Path, description = "Token id")), responses((status = 204)))]
async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    revoke_enrolment_token(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
