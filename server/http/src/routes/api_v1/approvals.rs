//! `/api/v1/products/{product}/approval`, and `…/releases/{version}/approve` and `…/reject`: the
//! word of a second person.

use axum::extract::State;
use otaru_operations::{
    App, ProductObject, ReleaseObject, approve_release, reject_release, set_product_approval,
};
use otaru_wire::{ProductName, ReleaseVersion};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, OptionalJson, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(set_approval))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetProductApprovalRequest {
    /// Whether a release waits until a person has approved it who had no part in publishing it.
    required: bool,
}

/// Says whether releases of a product need approval. Only administrators do without; what waits
/// goes on waiting.
#[utoipa::path(put, path = "/api/v1/products/{product}/approval",
    operation_id = "set_product_approval", tag = "products",
    params(("product" = String, Path, description = "Product name")),
    request_body = SetProductApprovalRequest, responses((status = 200, body = ProductObject)))]
async fn set_approval(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Json(request): Json<SetProductApprovalRequest>,
) -> Result<Json<ProductObject>, ApiError> {
    Ok(Json(set_product_approval(&app, &actor, product, request.required).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecideReleaseRequest {
    /// What is to be said about it.
    comment: Option<String>,
}

/// Approves a release that waits: from now on devices are offered it. By a person who had no part
/// in publishing it. The body may be left out.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases/{version}/approve",
    operation_id = "approve_release", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    request_body = Option<DecideReleaseRequest>, responses((status = 200, body = ReleaseObject)))]
async fn approve(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
    OptionalJson(request): OptionalJson<DecideReleaseRequest>,
) -> Result<Json<ReleaseObject>, ApiError> {
    let DecideReleaseRequest { comment } = request.unwrap_or_default();
    Ok(Json(approve_release(&app, &actor, product, version, comment).await?))
}

/// Rejects a release that waits, for good. The body may be left out.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases/{version}/reject",
    operation_id = "reject_release", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    request_body = Option<DecideReleaseRequest>, responses((status = 200, body = ReleaseObject)))]
async fn reject(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
    OptionalJson(request): OptionalJson<DecideReleaseRequest>,
) -> Result<Json<ReleaseObject>, ApiError> {
    let DecideReleaseRequest { comment } = request.unwrap_or_default();
    Ok(Json(reject_release(&app, &actor, product, version, comment).await?))
}
