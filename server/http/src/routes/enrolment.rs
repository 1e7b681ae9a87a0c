//! `/enrolment`: devices that keep their key get a certificate for it.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, EnrolledFiles, RenewedCertificate, enrol_device, renew_own_certificate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::DeviceCaller;
use crate::remote::CameFrom;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(enrol)).routes(routes!(renew))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnrolRequest {
    /// The token that was made for the device.
    #[schema(format = Password)]
    token: String,
    /// PKCS #10 in PEM, signed with the device's key. Nothing but the key is read from it.
    certificate_request: String,
}

/// What `device add` writes, but for the key: that is the device's own.
#[derive(Serialize, ToSchema)]
struct EnrolResponse {
    /// Its MQTT identity.
    thing: String,
    /// What kind it is.
    product: String,
    /// Its certificate, PEM.
    cert_pem: String,
    /// The authority it trusts for TLS, PEM.
    ca_pem: String,
    /// The root key it trusts for firmware.
    root_pub: String,
    /// Where it finds its server.
    device_toml: String,
}

impl From<EnrolledFiles> for EnrolResponse {
    fn from(files: EnrolledFiles) -> EnrolResponse {
        EnrolResponse {
            thing: files.device.thing,
            product: files.device.product,
            cert_pem: files.cert_pem,
            ca_pem: files.ca_pem,
            root_pub: files.root_pub,
            device_toml: files.device_toml,
        }
    }
}

/// Makes whoever has the token and the key of the request the device the token is for. With the
/// same key again it answers the same again, as long as the token lives.
#[utoipa::path(post, path = "/enrolment", operation_id = "enrol_device", tag = "enrolment",
    request_body = EnrolRequest, responses((status = 201, body = EnrolResponse)))]
async fn enrol(
    State(app): State<App>,
    CameFrom(origin): CameFrom,
    Json(request): Json<EnrolRequest>,
) -> Result<(StatusCode, Json<EnrolResponse>), ApiError> {
    let EnrolRequest { token, certificate_request } = request;
    let files = enrol_device(&app, &origin, &token, &certificate_request).await?;
    Ok((StatusCode::CREATED, Json(files.into())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RenewRequest {
    /// PKCS #10 in PEM, signed with the new key. Nothing but the key is read from it.
    certificate_request: String,
}

#[derive(Serialize, ToSchema)]
struct RenewResponse {
    /// The new certificate, PEM. The one that was asked with works until this one has connected.
    cert_pem: String,
    /// The authority the device trusts for TLS, PEM.
    ca_pem: String,
    /// When the new certificate ends, in seconds since the epoch.
    not_after: i64,
}

impl From<RenewedCertificate> for RenewResponse {
    fn from(renewed: RenewedCertificate) -> RenewResponse {
        let RenewedCertificate { cert_pem, ca_pem, not_after } = renewed;
        RenewResponse { cert_pem, ca_pem, not_after: not_after / 1_000 }
    }
}

/// Signs a new key of the device that asks, by its certificate.
#[utoipa::path(post, path = "/enrolment/renewal", operation_id = "renew_own_certificate",
    tag = "enrolment", request_body = RenewRequest,
    responses((status = 201, body = RenewResponse)))]
async fn renew(
    State(app): State<App>,
    DeviceCaller { device, certificate }: DeviceCaller,
    CameFrom(origin): CameFrom,
    Json(request): Json<RenewRequest>,
) -> Result<(StatusCode, Json<RenewResponse>), ApiError> {
    let request = request.certificate_request;
    let renewed = renew_own_certificate(&app, &device, &certificate, &origin, &request).await?;
    Ok((StatusCode::CREATED, Json(renewed.into())))
}
