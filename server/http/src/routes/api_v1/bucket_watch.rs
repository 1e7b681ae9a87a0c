//! `/api/v1/bucket-watch`: images that are dropped into a bucket and wait for their signature.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use otaru_operations::{
    App, BucketImageObject, Page, fetch_bucket_image, list_bucket_images, nudge_bucket_watch,
};
use otaru_wire::{ProductName, ReleaseVersion};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list, nudge)).routes(routes!(fetch))
}

/// What was found in the watched bucket, and what became of it, by path.
#[utoipa::path(get, path = "/api/v1/bucket-watch", operation_id = "list_bucket_images",
    tag = "releases", params(Paging),
    responses((status = 200, body = Page<BucketImageObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<BucketImageObject>>, ApiError> {
    Ok(Json(list_bucket_images(&app, &actor, paging.into()).await?))
}

/// Has the bucket looked at now. A webhook for S3's events: nothing of the body is read.
#[utoipa::path(post, path = "/api/v1/bucket-watch", operation_id = "nudge_bucket_watch",
    tag = "releases", responses((status = 202)))]
async fn nudge(State(app): State<App>, Caller(actor): Caller) -> Result<StatusCode, ApiError> {
    nudge_bucket_watch(&app, &actor)?;
    Ok(StatusCode::ACCEPTED)
}

/// An image that was found in the watched bucket, to be signed.
#[utoipa::path(get, path = "/api/v1/bucket-watch/{product}/{version}",
    operation_id = "fetch_bucket_image", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    responses((status = 200, content_type = "application/octet-stream", body = String)))]
async fn fetch(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
) -> Result<Response, ApiError> {
    let image = fetch_bucket_image(&app, &actor, product, version).await?;
    let media_type = HeaderValue::from_static("application/octet-stream");
    Ok(([(header::CONTENT_TYPE, media_type)], image).into_response())
}
