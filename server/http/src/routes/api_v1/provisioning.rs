//! `/api/v1/provisioning`: how devices of a batch become things, and who waits for approval.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use otaru_operations::{
    App, ClaimCertificateObject, DeviceObject, MOST_SERIALS, NewClaimCertificate, NewTemplate,
    Page, ProvisioningObject, TemplateObject, add_template, approve_provisioning,
    create_claim_certificate, list_claim_certificates, list_provisioning_queue, list_templates,
    reject_provisioning, remove_template, revoke_claim_certificate, show_template,
};
use otaru_wire::{ProductName, TemplateName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, MAX_JSON_BYTES, OptionalJson, Path, Query, longest_body};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

/// As many serial numbers as a template may have, each of 64 characters, and the rest of it.
const TEMPLATE_BYTES: usize = MOST_SERIALS * 70 + MAX_JSON_BYTES;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(add, list).layer(longest_body(TEMPLATE_BYTES)))
        .routes(routes!(show, remove))
        .routes(routes!(create_claim, list_claims))
        .routes(routes!(revoke_claim))
        .routes(routes!(queue))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddTemplateRequest {
    /// 1 to 36 of `[0-9A-Za-z_-]`, unique in the organisation.
    #[schema(value_type = String)]
    name: TemplateName,
    /// What kind of device it makes.
    #[schema(value_type = String)]
    product: ProductName,
    /// What they are called: text with parameters, such as `clock-{SerialNumber}`; a `:` stands
    /// between any two.
    thing_name: String,
    /// How many it makes at most.
    device_limit: Option<u32>,
    /// Certificates that one claim certificate gets in a minute; 60 if not given.
    per_minute: Option<u32>,
    /// When it stops working, RFC 3339: within ten years.
    #[schema(value_type = Option<String>)]
    expires_at: Option<DateTime<Utc>>,
    /// Whether an operator approves of each device before it can connect.
    #[serde(default)]
    approve: bool,
    /// The values of `SerialNumber` that it is limited to.
    serial_numbers: Option<Vec<String>>,
}

/// Adds a template.
#[utoipa::path(post, path = "/api/v1/provisioning/templates", operation_id = "add_template",
    tag = "provisioning", request_body = AddTemplateRequest,
    responses((status = 201, body = TemplateObject)))]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<AddTemplateRequest>,
) -> Result<(StatusCode, Json<TemplateObject>), ApiError> {
    let new = NewTemplate {
        name: request.name,
        product: request.product,
        thing_name: request.thing_name,
        device_limit: request.device_limit,
        per_minute: request.per_minute,
        expires_at: request.expires_at.map(|at| at.timestamp_millis()),
        approve: request.approve,
        serial_numbers: request.serial_numbers,
    };
    Ok((StatusCode::CREATED, Json(add_template(&app, &actor, new).await?)))
}

/// Templates, by name.
#[utoipa::path(get, path = "/api/v1/provisioning/templates", operation_id = "list_templates",
    tag = "provisioning", params(Paging), responses((status = 200, body = Page<TemplateObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<TemplateObject>>, ApiError> {
    Ok(Json(list_templates(&app, &actor, paging.into()).await?))
}

/// One template.
#[utoipa::path(get, path = "/api/v1/provisioning/templates/{name}",
    operation_id = "show_template", tag = "provisioning",
    params(("name" = String, Path, description = "Template name")),
    responses((status = 200, body = TemplateObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<TemplateName>,
) -> Result<Json<TemplateObject>, ApiError> {
    Ok(Json(show_template(&app, &actor, name).await?))
}

/// Removes a template with its claim certificates; what it made stays.
#[utoipa::path(delete, path = "/api/v1/provisioning/templates/{name}",
    operation_id = "remove_template", tag = "provisioning",
    params(("name" = String, Path, description = "Template name")), responses((status = 204)))]
async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<TemplateName>,
) -> Result<StatusCode, ApiError> {
    remove_template(&app, &actor, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateClaimCertificateRequest {
    /// When it ends, RFC 3339: with its template, or in 365 days, if not given.
    #[schema(value_type = Option<String>)]
    expires_at: Option<DateTime<Utc>>,
}

/// A claim certificate with its key, which is in this answer and nowhere else.
#[derive(Serialize, ToSchema)]
struct ClaimFilesResponse {
    /// Its record.
    #[serde(flatten)]
    record: ClaimCertificateObject,
    /// The certificate, PEM.
    cert_pem: String,
    /// Its private key, PEM.
    key_pem: String,
    /// The authority that devices trust for TLS, PEM.
    ca_pem: String,
    /// Where devices find the broker.
    mqtt_url: String,
}

/// Issues a certificate for all devices of a batch.
#[utoipa::path(post, path = "/api/v1/provisioning/templates/{name}/claim-certificates",
    operation_id = "create_claim_certificate", tag = "provisioning",
    params(("name" = String, Path, description = "Template name")),
    request_body = CreateClaimCertificateRequest,
    responses((status = 201, body = ClaimFilesResponse)))]
async fn create_claim(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<TemplateName>,
    OptionalJson(request): OptionalJson<CreateClaimCertificateRequest>,
) -> Result<(StatusCode, Json<ClaimFilesResponse>), ApiError> {
    let expires_at = request.unwrap_or_default().expires_at.map(|at| at.timestamp_millis());
    let made = create_claim_certificate(&app, &actor, name, expires_at).await?;
    let NewClaimCertificate { record, cert_pem, key_pem, ca_pem } = made;
    let mqtt_url = app.urls().mqtt_url;
    let answer = ClaimFilesResponse { record, cert_pem, key_pem, ca_pem, mqtt_url };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Claim certificates of a template.
#[derive(Serialize, ToSchema)]
struct ClaimCertificatesResponse {
    /// Oldest first.
    items: Vec<ClaimCertificateObject>,
}

/// Claim certificates of a template, oldest first.
#[utoipa::path(get, path = "/api/v1/provisioning/templates/{name}/claim-certificates",
    operation_id = "list_claim_certificates", tag = "provisioning",
    params(("name" = String, Path, description = "Template name")),
    responses((status = 200, body = ClaimCertificatesResponse)))]
async fn list_claims(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<TemplateName>,
) -> Result<Json<ClaimCertificatesResponse>, ApiError> {
    let items = list_claim_certificates(&app, &actor, name).await?;
    Ok(Json(ClaimCertificatesResponse { items }))
}

/// Stops a claim certificate from working; what devices have become stays.
#[utoipa::path(post, path = "/api/v1/provisioning/claim-certificates/{serial}/revoke",
    operation_id = "revoke_claim_certificate", tag = "provisioning",
    params(("serial" = String, Path, description = "Serial number")),
    responses((status = 204)))]
async fn revoke_claim(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(serial): Path<String>,
) -> Result<StatusCode, ApiError> {
    revoke_claim_certificate(&app, &actor, serial).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Devices that wait for approval, the oldest first.
#[utoipa::path(get, path = "/api/v1/provisioning/queue",
    operation_id = "list_provisioning_queue", tag = "provisioning", params(Paging),
    responses((status = 200, body = Page<ProvisioningObject>)))]
async fn queue(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ProvisioningObject>>, ApiError> {
    Ok(Json(list_provisioning_queue(&app, &actor, paging.into()).await?))
}

/// Lets a device in that waits.
#[utoipa::path(post, path = "/api/v1/provisioning/queue/{id}/approve",
    operation_id = "approve_provisioning", tag = "provisioning",
    params(("id" = String, Path, description = "Id of the queue")),
    responses((status = 200, body = DeviceObject)))]
async fn approve(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<DeviceObject>, ApiError> {
    Ok(Json(approve_provisioning(&app, &actor, id).await?))
}

/// Turns a device away that waits: its certificate will never work.
#[utoipa::path(post, path = "/api/v1/provisioning/queue/{id}/reject",
    operation_id = "reject_provisioning", tag = "provisioning",
    params(("id" = String, Path, description = "Id of the queue")), responses((status = 204)))]
async fn reject(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    reject_provisioning(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
