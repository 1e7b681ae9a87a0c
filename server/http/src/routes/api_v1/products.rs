//! `/api/v1/products`: kinds of devices.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, ChipRevisions, ImageFormat, NewProduct, Page, ProductObject, create_product,
    list_products, set_product_limits, show_product,
};
use otaru_wire::ProductName;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::roots::base64_root;
use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create, list)).routes(routes!(show, set_limits))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateProductRequest {
    /// Unique on the server; 1 to 32 of `[a-z0-9-]`.
    #[schema(value_type = String)]
    name: ProductName,
    /// Chip name, such as `esp32c3`.
    chip: String,
    /// Size of the flash in bytes.
    flash_bytes: u64,
    /// Size of one slot in bytes; half of what the flash leaves if not given.
    slot_bytes: Option<u64>,
    /// The signed root document whose releases its devices install, base64.
    root: String,
    /// Who may download its images; `device` if not given.
    #[serde(default)]
    download: Download,
    /// How its images are read: `esp_idf`, or `raw` for a chip that runs no ESP-IDF images;
    /// `esp_idf` if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    images: ImageFormat,
    /// The chip revisions of its devices, `{"min":n,"max":n}`, major × 100 + minor.
    #[schema(value_type = Option<Object>)]
    chip_revisions: Option<ChipRevisions>,
}

/// Who may download the images of a product.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Download {
    /// Its devices, by their certificates, and people of the organisation.
    #[default]
    Device,
    /// Anybody: for clients that have no certificate.
    Public,
}

/// Creates a product.
#[utoipa::path(post, path = "/api/v1/products", operation_id = "create_product", tag = "products",
    request_body = CreateProductRequest, responses((status = 201, body = ProductObject)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<CreateProductRequest>,
) -> Result<(StatusCode, Json<ProductObject>), ApiError> {
    let root = base64_root(&request.root)?;
    let new = NewProduct {
        name: request.name,
        chip: request.chip,
        flash_bytes: request.flash_bytes,
        slot_bytes: request.slot_bytes,
        root,
        public_download: request.download == Download::Public,
        images: request.images,
        chip_revisions: request.chip_revisions,
    };
    Ok((StatusCode::CREATED, Json(create_product(&app, &actor, new).await?)))
}

/// Products, by name.
#[utoipa::path(get, path = "/api/v1/products", operation_id = "list_products", tag = "products",
    params(Paging), responses((status = 200, body = Page<ProductObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ProductObject>>, ApiError> {
    Ok(Json(list_products(&app, &actor, paging.into()).await?))
}

/// One product.
#[utoipa::path(get, path = "/api/v1/products/{product}", operation_id = "show_product",
    tag = "products", params(("product" = String, Path, description = "Product name")),
    responses((status = 200, body = ProductObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
) -> Result<Json<ProductObject>, ApiError> {
    Ok(Json(show_product(&app, &actor, product).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetProductLimitsRequest {
    /// Milliseconds by the names that the product shows; one left out stays as it is.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    limits: Map<String, Value>,
}

/// Sets how long updates may stay silent in each phase.
#[utoipa::path(patch, path = "/api/v1/products/{product}", operation_id = "set_product_limits",
    tag = "products", params(("product" = String, Path, description = "Product name")),
    request_body = SetProductLimitsRequest, responses((status = 200, body = ProductObject)))]
async fn set_limits(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Json(request): Json<SetProductLimitsRequest>,
) -> Result<Json<ProductObject>, ApiError> {
    Ok(Json(set_product_limits(&app, &actor, product, request.limits).await?))
}
