//! `/api/v1/uploads`: an image, bit by bit, by the protocol tus 1.0.0 (core, creation,
//! termination and expiration): the client asks how far it is and goes on from there.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use otaru_operations::{
    Actor, App, MAX_IMAGE_BYTES, UploadObject, begin_upload, cancel_upload, grow_upload,
    may_publish, show_upload,
};
use otaru_wire::Digest;
use tokio::time::{Instant, timeout, timeout_at};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;
use crate::upload::{STALL_LIMIT, UPLOAD_LIMIT};

/// The one version of the protocol.
const VERSION: &str = "1.0.0";

/// Stored at once, which is the most that a crash of the server costs the sender.
const PIECE_BYTES: usize = 256 * 1024;

const TUS: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// The media type of what a PATCH appends.
const APPENDED: &str = "application/offset+octet-stream";

pub(super) fn routes() -> OpenApiRouter<Site> {
    let long_body = DefaultBodyLimit::max(MAX_IMAGE_BYTES as usize);
    OpenApiRouter::default()
        .routes(routes!(begin))
        .routes(routes!(show, cancel))
        .routes(routes!(append).layer(long_body))
}

/// Begins an upload. With `sha256` in `Upload-Metadata`, one that was begun before goes on:
/// `Upload-Offset` says where.
#[utoipa::path(post, path = "/api/v1/uploads", operation_id = "begin_upload", tag = "uploads",
    params(("Upload-Length" = u64, Header, description = "Bytes of the image"),
        ("Upload-Metadata" = Option<String>, Header,
            description = "`sha256` and the digest in base64, of its lower hex digits"),
        ("Tus-Resumable" = Option<String>, Header, description = "1.0.0")),
    responses((status = 201, description = "Begun: `Location` says where, `Upload-Offset` how far \
        it is", body = UploadObject)))]
async fn begin(
    State(app): State<App>,
    Caller(actor): Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    may_publish(&actor)?;
    let size = number(&headers, &LENGTH)?;
    if size > MAX_IMAGE_BYTES {
        return Err(too_large(size));
    }
    let upload = begin_upload(&app, &actor, size, sha256(&headers)?).await?;
    let location = format!("/api/v1/uploads/{}", upload.id);
    let location = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, location, state(&upload), Json(upload)).into_response())
}

/// How far an upload is: `Upload-Offset`.
#[utoipa::path(head, path = "/api/v1/uploads/{id}", operation_id = "show_upload", tag = "uploads",
    params(("id" = String, Path, description = "Upload id")), responses((status = 200)))]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    let upload = show_upload(&app, &actor, &id).await?;
    Ok(state(&upload).into_response())
}

/// Appends bytes from `Upload-Offset` on. What arrived before a connection was cut is kept.
#[utoipa::path(patch, path = "/api/v1/uploads/{id}", operation_id = "append_to_upload",
    tag = "uploads", params(("id" = String, Path, description = "Upload id"),
        ("Upload-Offset" = u64, Header, description = "Where these bytes begin")),
    request_body(content = String, content_type = "application/offset+octet-stream"),
    responses((status = 204, description = "All of it is stored; `Upload-Offset` says how far the \
        upload is")))]
async fn append(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    may_publish(&actor)?;
    check_version(headers)?;
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if found != Some(APPENDED) {
        let detail = format!("the body is not {APPENDED}");
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            detail,
        )
        .with_found(found.unwrap_or("none"), APPENDED));
    }
    let from = number(headers, &OFFSET)?;
    // Before a byte is read: who may not, and who is elsewhere.
    grow_upload(&app, &actor, &id, from, Bytes::new()).await?;
    let body = request.into_body();
    let upload = Appending { app, actor, id, at: from, held: Vec::new() };
    // On its own: when the connection is cut, this request ends, and what arrived is still stored.
    let upload = tokio::spawn(upload.all(body)).await;
    let upload = upload.map_err(|fault| ApiError::internal(&fault))??;
    Ok((StatusCode::NO_CONTENT, state(&upload)).into_response())
}

/// Forgets an upload and what there is of it.
#[utoipa::path(delete, path = "/api/v1/uploads/{id}", operation_id = "cancel_upload",
    tag = "uploads", params(("id" = String, Path, description = "Upload id")),
    responses((status = 204)))]
async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    cancel_upload(&app, &actor, &id).await?;
    Ok((StatusCode::NO_CONTENT, tus()).into_response())
}

/// A body on its way into an upload.
struct Appending {
    app: App,
    actor: Actor,
    id: String,
    at: u64,
    held: Vec<u8>,
}

impl Appending {
    /// Stores all of a body, piece by piece. When it breaks off, what arrived is stored too.
    async fn all(mut self, body: Body) -> Result<UploadObject, ApiError> {
        let mut pieces = body.into_data_stream();
        let end = Instant::now() + UPLOAD_LIMIT;
        let broken = loop {
            match next(&mut pieces, end).await {
                Ok(Some(bytes)) => self.held.extend_from_slice(&bytes),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
            while self.held.len() >= PIECE_BYTES {
                let rest = self.held.split_off(PIECE_BYTES);
                let piece = std::mem::replace(&mut self.held, rest);
                self.store(piece.into()).await?;
            }
        };
        let rest = std::mem::take(&mut self.held);
        let upload = self.store(rest.into()).await?;
        match broken {
            None => Ok(upload),
            Some(error) => Err(error),
        }
    }

    async fn store(&mut self, piece: Bytes) -> Result<UploadObject, ApiError> {
        let len = piece.len() as u64;
        let upload = grow_upload(&self.app, &self.actor, &self.id, self.at, piece).await?;
        self.at += len;
        Ok(upload)
    }
}

/// The next bytes of a body that neither stands still nor takes for ever.
async fn next(pieces: &mut BodyDataStream, end: Instant) -> Result<Option<Bytes>, ApiError> {
    let late = |limit: Duration| {
        let detail = format!("the upload stood still or took longer than {} s", limit.as_secs());
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
    };
    match timeout_at(end, timeout(STALL_LIMIT, pieces.next())).await {
        Ok(Ok(None)) => Ok(None),
        Ok(Ok(Some(Ok(bytes)))) => Ok(Some(bytes)),
        Ok(Ok(Some(Err(_)))) => {
            let detail = "the connection ended before the body did";
            Err(ApiError::new(StatusCode::BAD_REQUEST, "body_incomplete", detail))
        }
        Ok(Err(_elapsed)) => Err(late(STALL_LIMIT)),
        Err(_elapsed) => Err(late(UPLOAD_LIMIT)),
    }
}

fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(&TUS).map(HeaderValue::as_bytes) {
        None => Ok(()),
        Some(found) if found == VERSION.as_bytes() => Ok(()),
        Some(found) => {
            let detail = "this server speaks version 1.0.0 of tus";
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
                .with_found(String::from_utf8_lossy(found), VERSION))
        }
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, ApiError> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let detail = format!("the header {name} is not a number of bytes");
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_header", detail)
            .with_found(text.unwrap_or("none"), "a number")
    })
}

fn sha256(headers: &HeaderMap) -> Result<Option<Digest>, ApiError> {
    let pairs = headers.get(&METADATA).and_then(|value| value.to_str().ok()).unwrap_or_default();
    sha256_of_metadata(pairs).map_err(|value| {
        let detail = "sha256 in Upload-Metadata is not the base64 of 64 hex digits";
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_header", detail).with_found(value, "base64")
    })
}

/// What `Upload-Metadata` says of an image: `sha256 <base64>` among other pairs.
///
/// # Errors
/// What stands there, if that is none.
pub fn sha256_of_metadata(pairs: &str) -> Result<Option<Digest>, &str> {
    let Some(value) = pairs.split(',').find_map(|pair| pair.trim().strip_prefix("sha256 ")) else {
        return Ok(None);
    };
    let text = STANDARD.decode(value.trim()).ok().and_then(|text| String::from_utf8(text).ok());
    text.and_then(|text| text.parse().ok()).map(Some).ok_or(value)
}

fn too_large(size: u64) -> ApiError {
    let detail = format!("an image of {size} bytes is longer than this server takes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        .with_found(format!("{size} bytes"), format!("at most {MAX_IMAGE_BYTES} bytes"))
}

fn tus() -> [(HeaderName, HeaderValue); 1] {
    [(TUS, HeaderValue::from_static(VERSION))]
}

/// Where an upload is, as headers.
fn state(upload: &UploadObject) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.extend(tus());
    headers.insert(OFFSET, upload.received.into());
    headers.insert(LENGTH, upload.size.into());
    let expires = chrono::DateTime::parse_from_rfc3339(&upload.expires_at).ok();
    let expires = expires.map(|at| at.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if let Some(expires) = expires.and_then(|text| text.parse().ok()) {
        headers.insert(EXPIRES, expires);
    }
    headers
}
