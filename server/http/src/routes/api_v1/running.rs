//! Which device runs which release, and what is in it.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use otaru_operations::{App, Page, PageRequest, RunningDeviceObject, list_running, show_sbom};
use otaru_wire::{ProductName, ReleaseVersion};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(sbom))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only devices that run this release, withdrawn or not.
    #[param(value_type = Option<String>)]
    version: Option<ReleaseVersion>,
    /// How many at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Devices of a product with the release each runs, its source and its software bill of
/// materials, by name.
#[utoipa::path(get, path = "/api/v1/products/{product}/running", operation_id = "list_running",
    tag = "releases", params(("product" = String, Path, description = "Product name"), Wanted),
    responses((status = 200, body = Page<RunningDeviceObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Query(Wanted { version, limit, cursor }): Query<Wanted>,
) -> Result<Json<Page<RunningDeviceObject>>, ApiError> {
    let page = PageRequest { limit, cursor };
    Ok(Json(list_running(&app, &actor, product, version, page).await?))
}

/// The software bill of materials of a release, as it was uploaded.
#[utoipa::path(get, path = "/api/v1/products/{product}/releases/{version}/sbom",
    operation_id = "show_sbom", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    responses((status = 200, description = "CycloneDX or SPDX, as its media type says",
        content((String = "application/vnd.cyclonedx+json"), (String = "application/spdx+json")))))]
async fn sbom(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
) -> Result<Response, ApiError> {
    let (format, document) = show_sbom(&app, &actor, product, version).await?;
    let media_type = HeaderValue::from_static(format.media_type());
    Ok(([(header::CONTENT_TYPE, media_type)], document).into_response())
}
