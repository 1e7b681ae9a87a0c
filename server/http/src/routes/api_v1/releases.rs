//! `/api/v1/products/{product}/releases`: publishing firmware and showing it.

use std::collections::BTreeMap;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use otaru_operations::{
    App, NewImage, NewRelease, Page, ReleaseObject, Texts, list_releases, may_publish,
    next_sequence, publish_release, show_release,
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
}

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; `Form` reads it")]
struct PublishReleaseForm {
    /// The firmware, as the build made it; or `upload`.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    image: Option<String>,
    /// The id of a complete upload: the firmware.
    upload: Option<String>,
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
    /// `true`: store it, and tell nobody yet.
    draft: Option<String>,
    /// The project, where the image names none.
    project: Option<String>,
    /// What it was built from: JSON `{"repository":"https://…","commit":"…"}`.
    source: Option<String>,
    /// A software bill of materials: CycloneDX or SPDX, as JSON.
    #[schema(format = Binary, content_media_type = "application/json")]
    sbom: Option<String>,
    /// Codes of refusals to accept, separated by commas: `flash_mode_differs`.
    accept: Option<String>,
}

const FIELDS: [&str; 12] = [
    "image",
    "upload",
    "manifest",
    "notes",
    "notes_by_language",
    "safety",
    "channel",
    "draft",
    "project",
    "source",
    "sbom",
    "accept",
];

/// Publishes a release: all of it is checked before any of it is stored.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases", operation_id = "publish_release",
    tag = "releases", params(("product" = String, Path, description = "Product name")),
    request_body(content = PublishReleaseForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Published", body = ReleaseObject),
        (status = 200, description = "Published before with the same manifest", body = ReleaseObject)))]
async fn publish(
    State(site): State<Site>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    request: Request,
) -> Result<(StatusCode, Json<ReleaseObject>), ApiError> {
    may_publish(&actor)?;
    let mut form = Form::read(request, &site.uploads, &FIELDS).await?;
    let new = NewRelease {
        product,
        image: image(&mut form)?,
        manifest: form.file("manifest"),
        notes: notes(&mut form)?,
        safety: form.json("safety")?,
        channel: form.text("channel")?,
        is_draft: form.json("draft")?.unwrap_or(false),
        project: form.text("project")?,
        source: form.json("source")?,
        sbom: form.file("sbom").filter(|document| !document.is_empty()),
        accept: accepted(form.text("accept")?),
    };
    let (release, is_new) = publish_release(&site.app, &actor, new).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(release)))
}

/// The firmware: in the form, or uploaded before.
fn image(form: &mut Form) -> Result<NewImage, ApiError> {
    let invalid = |detail| ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", detail);
    match (form.file("image"), form.text("upload")?) {
        (Some(image), None) => Ok(NewImage::Bytes(image)),
        (None, Some(upload)) => Ok(NewImage::Upload(upload)),
        (None, None) => Err(invalid("the form has neither a field `image` nor `upload`")),
        (Some(_), Some(_)) => Err(invalid("the form has both `image` and `upload`")),
    }
}

fn accepted(codes: Option<String>) -> Vec<String> {
    let codes = codes.unwrap_or_default();
    codes.split(',').map(str::trim).filter(|code| !code.is_empty()).map(str::to_owned).collect()
}

/// The notes of all languages; `notes` alone is English.
fn notes(form: &mut Form) -> Result<Texts, ApiError> {
    let mut texts: BTreeMap<String, String> = form.json("notes_by_language")?.unwrap_or_default();
    if let Some(english) = form.text("notes")? {
        texts.entry("en".to_owned()).or_insert(english);
    }
    Ok(Texts::from_iter(texts))
}

/// Releases and drafts of a product, newest first.
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

/// One release, or a draft.
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
