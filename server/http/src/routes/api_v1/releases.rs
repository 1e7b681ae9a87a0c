//! `/api/v1/products/{product}/releases`: publishing and withdrawing firmware.

use std::collections::BTreeMap;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use otaru_operations::{
    App, NewRelease, Page, ReleaseObject, Texts, list_releases, may_publish, next_sequence,
    publish_release, show_release, yank_release,
};
use otaru_wire::{ProductName, ReleaseVersion};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;
use crate::upload::{Form, MAX_UPLOAD_BYTES};

pub(super) fn routes() -> OpenApiRouter<Site> {
    let long_body = DefaultBodyLimit::max(MAX_UPLOAD_BYTES);
    OpenApiRouter::default()
        .routes(routes!(publish, list).layer(long_body))
        .routes(routes!(show_next_sequence))
        .routes(routes!(show))
        .routes(routes!(yank))
}

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; `Form` reads it")]
struct PublishReleaseForm {
    /// The firmware, as the build made it.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    image: String,
    /// The signed manifest.
    #[schema(format = Binary, content_media_type = "application/cbor")]
    manifest: String,
    /// Plain-language notes in English.
    notes: Option<String>,
    /// Notes in other languages: a JSON object from ISO 639-1 code to text.
    notes_by_language: Option<String>,
    /// What makes it urgent: JSON `{"deadline_hours":n,"reason":{"en":…}}`.
    safety: Option<String>,
    /// `stable` if not given.
    channel: Option<String>,
}

/// Publishes a release: all of it is checked before any of it is stored.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases", operation_id = "publish_release",
    tag = "releases", params(("product" = String, Path, description = "Product name")),
    request_body(content = PublishReleaseForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Published", body = ReleaseObject),
        (status = 200, description = "Published before with the same bytes", body = ReleaseObject)))]
async fn publish(
    State(site): State<Site>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    request: Request,
) -> Result<(StatusCode, Json<ReleaseObject>), ApiError> {
    may_publish(&actor)?;
    let known = ["image", "manifest", "notes", "notes_by_language", "safety", "channel"];
    let mut form = Form::read(request, &site.uploads, &known).await?;
    let missing = || {
        let detail = "the form has no field `image`";
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
    };
    let new = NewRelease {
        product,
        image: form.file("image").ok_or_else(missing)?,
        manifest: form.file("manifest"),
        notes: notes(&mut form)?,
        safety: form.json("safety")?,
        channel: form.text("channel")?,
    };
    let (release, is_new) = publish_release(&site.app, &actor, new).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(release)))
}

/// The notes of all languages; `notes` alone is English.
fn notes(form: &mut Form) -> Result<Texts, ApiError> {
    let mut texts: BTreeMap<String, String> = form.json("notes_by_language")?.unwrap_or_default();
    if let Some(english) = form.text("notes")? {
        texts.entry("en".to_owned()).or_insert(english);
    }
    Ok(Texts::from_iter(texts))
}

/// Releases of a product, newest first.
#[utoipa::path(get, path = "/api/v1/products/{product}/releases", operation_id = "list_releases",
    tag = "releases", params(("product" = String, Path, description = "Product name"), Paging),
    responses((status = 200, body = Page<ReleaseObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ReleaseObject>>, ApiError> {
    Ok(Json(list_releases(&app, &actor, product, paging.into()).await?))
}

#[derive(Serialize, ToSchema)]
struct NextSequenceResponse {
    /// The least sequence number that the next release may have.
    next_sequence: u64,
}

/// The sequence number to sign into the next manifest.
#[utoipa::path(get, path = "/api/v1/products/{product}/next-sequence", operation_id = "next_sequence",
    tag = "releases", params(("product" = String, Path, description = "Product name")),
    responses((status = 200, body = NextSequenceResponse)))]
async fn show_next_sequence(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
) -> Result<Json<NextSequenceResponse>, ApiError> {
    let next_sequence = next_sequence(&app, &actor, product).await?;
    Ok(Json(NextSequenceResponse { next_sequence }))
}

/// One release.
#[utoipa::path(get, path = "/api/v1/products/{product}/releases/{version}",
    operation_id = "show_release", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    responses((status = 200, body = ReleaseObject)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
) -> Result<Json<ReleaseObject>, ApiError> {
    Ok(Json(show_release(&app, &actor, product, version).await?))
}

/// Withdraws a release; updates that have not restarted into it are cancelled.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases/{version}/yank",
    operation_id = "yank_release", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    responses((status = 200, body = ReleaseObject)))]
async fn yank(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
) -> Result<Json<ReleaseObject>, ApiError> {
    Ok(Json(yank_release(&app, &actor, product, version).await?))
}
