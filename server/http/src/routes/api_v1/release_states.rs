//! What becomes of a release after it was uploaded: published, withdrawn, deleted.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, ReleaseObject, delete_release, publish_draft, yank_release};
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
    OpenApiRouter::default().routes(routes!(publish)).routes(routes!(yank)).routes(routes!(delete))
}

/// Publishes a draft: from now on devices are offered it, or it waits where the product needs
/// approval.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases/{version}/publish",
    operation_id = "publish_draft", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    responses((status = 200, body = ReleaseObject)))]
async fn publish(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
) -> Result<Json<ReleaseObject>, ApiError> {
    Ok(Json(publish_draft(&app, &actor, product, version).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct YankReleaseRequest {
    /// Why, for those who run the fleet.
    reason: Option<String>,
}

/// Withdraws a release; updates that have not restarted into it are cancelled. The body may be
/// left out.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases/{version}/yank",
    operation_id = "yank_release", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    request_body = Option<YankReleaseRequest>, responses((status = 200, body = ReleaseObject)))]
async fn yank(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
    OptionalJson(request): OptionalJson<YankReleaseRequest>,
) -> Result<Json<ReleaseObject>, ApiError> {
    let YankReleaseRequest { reason } = request.unwrap_or_default();
    Ok(Json(yank_release(&app, &actor, product, version, reason).await?))
}

/// Deletes a draft, or the image of a withdrawn release that nobody uses; what was published
/// stays known.
#[utoipa::path(delete, path = "/api/v1/products/{product}/releases/{version}",
    operation_id = "delete_release", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    responses((status = 204)))]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
) -> Result<StatusCode, ApiError> {
    delete_release(&app, &actor, product, version).await?;
    Ok(StatusCode::NO_CONTENT)
}
