//! `/api/v1/products/{product}/consent`, `…/settings` and `…/chip-revisions`: what owners are
//! asked, what they can set, and what an image must run on.

use axum::extract::State;
use otaru_operations::{
    App, ChipRevisions, Consent, ProductObject, Setting, set_chip_revisions, set_product_consent,
    set_product_settings,
};
use otaru_wire::ProductName;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(set_consent))
        .routes(routes!(set_settings))
        .routes(routes!(set_revisions))
}

/// Says who decides when releases are installed: `{"mode":"ask"}`,
/// `{"mode":"deadline","deadline_days":14}`, `{"mode":"night"}` or `{"mode":"forced"}`. The first
/// two take `"ask_on_device":true`: somebody at a device with a screen may decide there.
#[utoipa::path(put, path = "/api/v1/products/{product}/consent", operation_id = "set_product_consent",
    tag = "products", params(("product" = String, Path, description = "Product name")),
    request_body = Object, responses((status = 200, body = ProductObject)))]
async fn set_consent(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Json(consent): Json<Consent>,
) -> Result<Json<ProductObject>, ApiError> {
    Ok(Json(set_product_consent(&app, &actor, product, consent).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetProductSettingsRequest {
    /// Each setting: name, type, label, and what it may be; null lets anything be set.
    #[schema(value_type = Option<Vec<Object>>)]
    settings: Option<Vec<Setting>>,
}

/// Describes a product's settings.
#[utoipa::path(put, path = "/api/v1/products/{product}/settings", operation_id = "set_product_settings",
    tag = "products", params(("product" = String, Path, description = "Product name")),
    request_body = SetProductSettingsRequest, responses((status = 200, body = ProductObject)))]
async fn set_settings(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Json(request): Json<SetProductSettingsRequest>,
) -> Result<Json<ProductObject>, ApiError> {
    Ok(Json(set_product_settings(&app, &actor, product, request.settings).await?))
}

/// Says which chip revisions its devices have, `{"min":3,"max":101}` (major × 100 + minor); null
/// if that is not known. An image that does not run on all of them is refused.
#[utoipa::path(put, path = "/api/v1/products/{product}/chip-revisions",
    operation_id = "set_chip_revisions", tag = "products",
    params(("product" = String, Path, description = "Product name")),
    request_body = Option<Object>, responses((status = 200, body = ProductObject)))]
async fn set_revisions(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Json(revisions): Json<Option<ChipRevisions>>,
) -> Result<Json<ProductObject>, ApiError> {
    Ok(Json(set_chip_revisions(&app, &actor, product, revisions).await?))
}
