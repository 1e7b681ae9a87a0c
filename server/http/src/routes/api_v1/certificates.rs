//! `/api/v1/devices/{thing}/certificates`: what a device may come with.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, CertificateObject, WhichCertificates, add_certificate, list_certificates, revoke_device,
};
use otaru_wire::ThingName;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(add, list)).routes(routes!(revoke))
}

#[derive(Serialize, ToSchema)]
struct CertificatesResponse {
    items: Vec<CertificateObject>,
}

/// The certificates of a device, newest first, revoked ones too.
#[utoipa::path(get, path = "/api/v1/devices/{thing}/certificates",
    operation_id = "list_certificates", tag = "devices",
    params(("thing" = String, Path, description = "Thing name")),
    responses((status = 200, body = CertificatesResponse)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<Json<CertificatesResponse>, ApiError> {
    Ok(Json(CertificatesResponse { items: list_certificates(&app, &actor, thing).await? }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddCertificateRequest {
    /// Of one of your own authorities, PEM: the device's first, then those between it and the
    /// authority. Its common name is the thing name.
    certificate: String,
}

/// Lets the device come with another certificate; those it has go on to work.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/certificates",
    operation_id = "add_certificate", tag = "devices",
    params(("thing" = String, Path, description = "Thing name")),
    request_body = AddCertificateRequest, responses((status = 201, body = CertificateObject)))]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Json(request): Json<AddCertificateRequest>,
) -> Result<(StatusCode, Json<CertificateObject>), ApiError> {
    let added = add_certificate(&app, &actor, thing, &request.certificate).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only the certificate with this serial number, in hex.
    serial: Option<String>,
    /// Of this issuer: the SHA-256 of its certificate, in hex.
    issuer: Option<String>,
}

/// Stops the device's certificates from working, or the one that is named, and ends the
/// connections that stand on them.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/revoke", operation_id = "revoke_device",
    tag = "devices", params(("thing" = String, Path, description = "Thing name"), Which),
    responses((status = 204)))]
async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Query(Which { serial, issuer }): Query<Which>,
) -> Result<StatusCode, ApiError> {
    revoke_device(&app, &actor, thing, WhichCertificates { serial, issuer }).await?;
    Ok(StatusCode::NO_CONTENT)
}
