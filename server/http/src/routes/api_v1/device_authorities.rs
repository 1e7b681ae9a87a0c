//! `/api/v1/authorities`: authorities of others, whose certificates devices may come with.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, DeviceAuthorityObject, NewDeviceAuthority, Page, PageRequest, add_device_authority,
    list_device_authorities, registration_code, remove_device_authority, show_device_authority,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(add, list))
        .routes(routes!(code))
        .routes(routes!(show, remove))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddDeviceAuthorityRequest {
    /// What you call it: one line of 1 to 64 characters.
    label: String,
    /// Its certificate, PEM.
    certificate: String,
    /// A certificate that it signed, PEM, whose common name is the registration code.
    verification: String,
}

/// Believes certificates of an authority, of devices that are registered with one.
#[utoipa::path(post, path = "/api/v1/authorities", operation_id = "add_device_authority",
    tag = "devices", request_body = AddDeviceAuthorityRequest,
    responses((status = 201, body = DeviceAuthorityObject)))]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<AddDeviceAuthorityRequest>,
) -> Result<(StatusCode, Json<DeviceAuthorityObject>), ApiError> {
    let AddDeviceAuthorityRequest { label, certificate, verification } = request;
    let new = NewDeviceAuthority { label, certificate, verification };
    Ok((StatusCode::CREATED, Json(add_device_authority(&app, &actor, new).await?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// How many at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// The organisation's authorities.
#[utoipa::path(get, path = "/api/v1/authorities", operation_id = "list_device_authorities",
    tag = "devices", params(Paging),
    responses((status = 200, body = Page<DeviceAuthorityObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Paging { limit, cursor }): Query<Paging>,
) -> Result<Json<Page<DeviceAuthorityObject>>, ApiError> {
    Ok(Json(list_device_authorities(&app, &actor, PageRequest { limit, cursor }).await?))
}

#[derive(Serialize, ToSchema)]
struct RegistrationCodeResponse {
    /// The common name of the verification certificate.
    code: String,
}

/// What an authority signs to show that you have its key; always the same, and no secret.
#[utoipa::path(get, path = "/api/v1/authorities/registration-code",
    operation_id = "registration_code", tag = "devices",
    responses((status = 200, body = RegistrationCodeResponse)))]
async fn code(Caller(actor): Caller) -> Result<Json<RegistrationCodeResponse>, ApiError> {
    Ok(Json(RegistrationCodeResponse { code: registration_code(&actor)? }))
}

/// One authority.
#[utoipa::path(get, path = "/api/v1/authorities/{fingerprint}",
    operation_id = "show_device_authority", tag = "devices",
    params(("fingerprint" = String, Path, description = "SHA-256 of its certificate, in hex")),
    responses((status = 200, body = DeviceAuthorityObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(fingerprint): Path<String>,
) -> Result<Json<DeviceAuthorityObject>, ApiError> {
    Ok(Json(show_device_authority(&app, &actor, fingerprint).await?))
}

/// Believes an authority's certificates no more, and ends the connections that stand on them.
#[utoipa::path(delete, path = "/api/v1/authorities/{fingerprint}",
    operation_id = "remove_device_authority", tag = "devices",
    params(("fingerprint" = String, Path, description = "SHA-256 of its certificate, in hex")),
    responses((status = 204)))]
async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(fingerprint): Path<String>,
) -> Result<StatusCode, ApiError> {
    remove_device_authority(&app, &actor, fingerprint).await?;
    Ok(StatusCode::NO_CONTENT)
}
