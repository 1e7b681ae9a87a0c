//! `/api/v1/devices`: registering devices and seeing the fleet.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, DeviceFilter, DeviceObject, NewDeviceFiles, Page, PageRequest, add_device, list_devices,
    register_device, renew_certificate, set_device_channel, show_device,
};
use otaru_wire::{ProductName, ThingName};
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
        .routes(routes!(show))
        .routes(routes!(renew))
        .routes(routes!(set_channel))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddDeviceRequest {
    /// Thing name, at most 64 characters.
    #[schema(value_type = String)]
    thing: ThingName,
    /// What kind it is.
    #[schema(value_type = String)]
    product: ProductName,
    /// A certificate of one of your own authorities, PEM: the device's first, then those between
    /// it and the authority. Its common name is the thing name. Without it the server issues one.
    certificate: Option<String>,
}

/// The files a device is provisioned with. The private key is in this answer
/// and nowhere else.
#[derive(Serialize, ToSchema)]
struct DeviceFilesResponse {
    device: DeviceObject,
    /// Its certificate, PEM.
    cert_pem: String,
    /// Its private key, PEM; null where it has a certificate of its own.
    key_pem: Option<String>,
    /// The authority it trusts for TLS, PEM.
    ca_pem: String,
    /// The root key it trusts for firmware.
    root_pub: String,
    /// Where it finds its server.
    device_toml: String,
}

impl From<NewDeviceFiles> for DeviceFilesResponse {
    fn from(files: NewDeviceFiles) -> DeviceFilesResponse {
        DeviceFilesResponse {
            device: files.device,
            cert_pem: files.cert_pem,
            key_pem: files.key_pem,
            ca_pem: files.ca_pem,
            root_pub: files.root_pub,
            device_toml: files.device_toml,
        }
    }
}

/// Registers a device and issues its certificate, unless it has one.
#[utoipa::path(post, path = "/api/v1/devices", operation_id = "add_device", tag = "devices",
    request_body = AddDeviceRequest, responses((status = 201, body = DeviceFilesResponse)))]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<AddDeviceRequest>,
) -> Result<(StatusCode, Json<DeviceFilesResponse>), ApiError> {
    let AddDeviceRequest { thing, product, certificate } = request;
    let files = match certificate {
        None => add_device(&app, &actor, thing, product).await?,
        Some(certificate) => register_device(&app, &actor, thing, product, certificate).await?,
    };
    Ok((StatusCode::CREATED, Json(files.into())))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only those with this in their thing name, in any case.
    text: Option<String>,
    /// Only those with an open session, or only those without.
    online: Option<bool>,
    /// Only of this product.
    #[param(value_type = Option<String>)]
    product: Option<ProductName>,
    /// Only those that run this version.
    version: Option<String>,
    /// Only those whose newest certificate that works (`certificate.not_after`) ends within so
    /// many days, or has ended.
    certificate_ends_within_days: Option<u32>,
    /// How many at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Devices of the organisation that are wanted, by name.
#[utoipa::path(get, path = "/api/v1/devices", operation_id = "list_devices", tag = "devices",
    params(Wanted), responses((status = 200, body = Page<DeviceObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<DeviceObject>>, ApiError> {
    let Wanted { text, online, product, version, certificate_ends_within_days, limit, cursor } =
        wanted;
    let filter = DeviceFilter { text, online, product, version, certificate_ends_within_days };
    Ok(Json(list_devices(&app, &actor, filter, PageRequest { limit, cursor }).await?))
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{thing}", operation_id = "show_device", tag = "devices",
    params(("thing" = String, Path, description = "Thing name")),
    responses((status = 200, body = DeviceObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<Json<DeviceObject>, ApiError> {
    Ok(Json(show_device(&app, &actor, thing).await?))
}

/// Issues a new certificate, for a device whose key was lost or leaked; older ones stop
/// working and its session ends.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/certificate",
    operation_id = "renew_certificate", tag = "devices",
    params(("thing" = String, Path, description = "Thing name")),
    responses((status = 201, body = DeviceFilesResponse)))]
async fn renew(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<(StatusCode, Json<DeviceFilesResponse>), ApiError> {
    let files = renew_certificate(&app, &actor, thing).await?;
    Ok((StatusCode::CREATED, Json(files.into())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetDeviceChannelRequest {
    /// `stable`, `beta`, …: 1 to 32 of `[a-z0-9-]`.
    channel: String,
}

/// Sets the channel a device follows: the newest release of it is offered, if it is newer than
/// what runs.
#[utoipa::path(put, path = "/api/v1/devices/{thing}/channel", operation_id = "set_device_channel",
    tag = "devices", params(("thing" = String, Path, description = "Thing name")),
    request_body = SetDeviceChannelRequest, responses((status = 200, body = DeviceObject)))]
async fn set_channel(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Json(request): Json<SetDeviceChannelRequest>,
) -> Result<Json<DeviceObject>, ApiError> {
    Ok(Json(set_device_channel(&app, &actor, thing, &request.channel).await?))
}
