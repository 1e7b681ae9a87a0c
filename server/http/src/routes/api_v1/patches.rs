//! The patches to a release.

use axum::extract::State;
use otaru_operations::{App, Page, PatchObject, list_patches};
use otaru_wire::{ProductName, ReleaseVersion};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list))
}

/// Patches to a release, made, under way or skipped, with their sizes; the packed image first.
#[utoipa::path(get, path = "/api/v1/products/{product}/releases/{version}/patches",
    operation_id = "list_patches", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    responses((status = 200, body = Page<PatchObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
) -> Result<Json<Page<PatchObject>>, ApiError> {
    Ok(Json(list_patches(&app, &actor, product, version).await?))
}
