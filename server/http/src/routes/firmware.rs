//! `/firmware`: what devices download.

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use otaru_operations::{
    Admission, App, Firmware, LinkClaims, NONCE_BYTES, OperationError, Refusal, Remote, Requester,
    Sending, Standing, issue_order, issue_timestamp, note_download, open_blob, open_firmware,
    open_manifest, open_patch, open_root, read_download_link, send_firmware,
};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::download::{
    Asked, Caching, Content, EntityTag, IMAGE, LastDownload, Open, pieces, serve,
};
use crate::extract::{Path, Query};
use crate::identity::Visitor;
use crate::remote::From;
use crate::site::Site;

mod patches;

const CBOR: &str = "application/cbor";

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(download_release))
        .routes(routes!(download_root))
        .routes(routes!(download_timestamp))
        .routes(routes!(download_blob))
}

impl std::convert::From<Visitor> for Requester {
    fn from(visitor: Visitor) -> Requester {
        match visitor {
            Visitor::Device(device) => Requester::Device(device),
            Visitor::Person(actor) => Requester::Actor(actor),
            Visitor::Stranger => Requester::Anonymous,
        }
    }
}

/// Where a download comes from, and what is needed to remember that it was let in.
struct Fetching {
    site: Remote,
    /// Before it was looked up who asks.
    standing: Standing,
    asked: Option<Asked>,
    last: Option<LastDownload>,
}

impl FromRequestParts<Site> for Fetching {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Self::Rejection> {
        let Parts { method, uri, headers, extensions, .. } = &*parts;
        Ok(Fetching {
            site: From::of(parts).0,
            standing: site.app.standing(),
            asked: Asked::of(method, uri, headers),
            last: extensions.get().cloned(),
        })
    }
}

impl Fetching {
    /// More of the same on the same connection needs no new question.
    fn remember(
        self,
        app: &App,
        requester: &Requester,
        firmware: &Firmware,
        media_type: &'static str,
    ) {
        let Fetching { site, standing, asked: Some(asked), last: Some(last) } = self else {
            return;
        };
        if let Some(admission) = Admission::of(app, standing, requester, &site, firmware) {
            last.remember(asked, admission, media_type);
        }
    }
}

/// What a device asks with.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ReleaseQuery {
    /// With `{version}.order`: 16 random bytes as 32 hex digits, which the order holds.
    nonce: Option<String>,
    /// With `{version}.bin` and `{version}.patch`, in a link: until when it holds, in seconds since the epoch.
    expires: Option<i64>,
    /// With `{version}.patch`: SHA-256 of the image that the device runs, as 64 hex digits. Without
    /// it the packed image is sent.
    base: Option<String>,
    /// With `{version}.patch`: how it must be packed, `1` or `2`, which is LZMA with a dictionary of
    /// 4 or 8 KiB; `1` if not given.
    codec: Option<String>,
    /// In a link: the device whose download it is.
    #[param(value_type = Option<String>)]
    thing: Option<ThingName>,
    /// In a link: what the server signed it with, as 64 hex digits.
    signature: Option<String>,
}

impl ReleaseQuery {
    /// Who asks: whoever has a link, if this is one.
    fn requester(
        self,
        app: &App,
        visitor: Visitor,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Requester, ApiError> {
        let ReleaseQuery { expires, thing, signature, .. } = self;
        let Some(signature) = signature else { return Ok(visitor.into()) };
        let claims = LinkClaims { thing, expires: expires.unwrap_or(0), signature };
        let link = read_download_link(app, product.clone(), version.clone(), claims)?;
        Ok(Requester::Link(link))
    }
}

/// A release's image (`{version}.bin`), signed manifest (`{version}.manifest`), a patch to it
/// (`{version}.patch`) or, for a device, the order to install it (`{version}.order`).
///
/// The patch is the one from the device's image, else the packed image; 404 `no_patch` if there is
/// neither: then the image is to be taken.
///
/// Takes Range, If-Range and the other conditions; the entity tag is the SHA-256.
#[utoipa::path(get, path = "/firmware/{product}/{file}", operation_id = "download_release",
    tag = "firmware",
    params(("product" = String, Path, description = "Product name"),
        ("file" = String, Path, description = "`{version}.bin`, `.manifest`, `.patch` or `.order`"),
        ReleaseQuery),
    responses((status = 200, content_type = "application/octet-stream", body = String),
        (status = 206, content_type = "application/octet-stream", body = String),
        (status = 302, description = "The bytes are there, if the server is set up so"),
        (status = 304), (status = 410, description = "Withdrawn"), (status = 416),
        (status = 429, description = "As many downloads as may be; `Retry-After` says when again")))]
async fn download_release(
    State(app): State<App>,
    fetching: Fetching,
    visitor: Visitor,
    Path((product, file)): Path<(ProductName, String)>,
    Query(query): Query<ReleaseQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let content = match file.rsplit_once('.') {
        Some((version, "bin")) => {
            let version = release_version(version)?;
            let requester = query.requester(&app, visitor, &product, &version)?;
            let firmware = open_firmware(&app, &requester, product, version.clone()).await;
            let firmware = firmware.map_err(gone)?;
            let content = image(&app, &requester, &fetching.site, &firmware, &method).await?;
            // Whoever asks with HEAD fetches nothing.
            if method == Method::GET && !note_download(&app, &requester, &firmware, version).await?
            {
                fetching.remember(&app, &requester, &firmware, IMAGE);
            }
            content
        }
        Some((version, "patch")) => {
            let (version, wanted) = (release_version(version)?, patches::wanted(&query)?);
            let requester = query.requester(&app, visitor, &product, &version)?;
            let patch = open_patch(&app, &requester, product, version.clone(), wanted).await;
            let patch = patch.map_err(gone)?;
            let content = image(&app, &requester, &fetching.site, &patch, &method).await?;
            if method == Method::GET && !note_download(&app, &requester, &patch, version).await? {
                fetching.remember(&app, &requester, &patch, patches::PATCH);
            }
            Content { media_type: patches::PATCH, ..content }
        }
        Some((version, "manifest")) => {
            let version = release_version(version)?;
            let manifest = open_manifest(&app, &visitor.into(), product, version).await;
            let manifest = manifest.map_err(gone)?;
            Content::of_bytes(manifest.into(), CBOR, Caching::Private)
        }
        Some((version, "order")) => {
            let (version, nonce) = (release_version(version)?, nonce(query.nonce.as_deref())?);
            let order = issue_order(&app, &visitor.into(), product, version, nonce).await;
            Content::of_bytes(order.map_err(gone)?.into(), CBOR, Caching::Never)
        }
        _ => {
            let detail = format!(
                "a release has a .bin, a .manifest, a .patch and an .order, and nothing called {file}"
            );
            return Err(ApiError::new(StatusCode::NOT_FOUND, "route_unknown", detail));
        }
    };
    Ok(serve(content, &method, &headers))
}

/// A product's signed root document, by number or the newest; for everybody.
#[utoipa::path(get, path = "/firmware/{product}/root/{number}", operation_id = "download_root",
    tag = "firmware",
    params(("product" = String, Path, description = "Product name"),
        ("number" = String, Path, description = "A number from 1, or `latest`")),
    responses((status = 200, content_type = "application/cbor", body = String), (status = 304)))]
async fn download_root(
    State(app): State<App>,
    Path((product, number)): Path<(ProductName, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (wanted, caching) = match number.as_str() {
        "latest" => (None, Caching::Public),
        _ => (Some(number.parse().map_err(|_| not_a_root_number(&number))?), Caching::Immutable),
    };
    let (_number, document) = open_root(&app, product, wanted).await?;
    Ok(serve(Content::of_bytes(document.into(), CBOR, caching), &method, &headers))
}

/// What is newest of a product, signed just now; for everybody. Only where its root document
/// names a server key.
#[utoipa::path(get, path = "/firmware/{product}/timestamp", operation_id = "download_timestamp",
    tag = "firmware", params(("product" = String, Path, description = "Product name")),
    responses((status = 200, content_type = "application/cbor", body = String)))]
async fn download_timestamp(
    State(app): State<App>,
    Path(product): Path<ProductName>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let timestamp = issue_timestamp(&app, product).await?;
    Ok(serve(Content::of_bytes(timestamp.into(), CBOR, Caching::Never), &method, &headers))
}

/// An image by its SHA-256, for who may download a release made of it.
#[utoipa::path(get, path = "/firmware/blobs/{sha256}", operation_id = "download_blob",
    tag = "firmware", params(("sha256" = String, Path, description = "64 hex digits")),
    responses((status = 200, content_type = "application/octet-stream", body = String),
        (status = 206, content_type = "application/octet-stream", body = String),
        (status = 302, description = "The bytes are there, if the server is set up so"),
        (status = 304), (status = 410, description = "Withdrawn"), (status = 416),
        (status = 429, description = "As many downloads as may be; `Retry-After` says when again")))]
async fn download_blob(
    State(app): State<App>,
    fetching: Fetching,
    visitor: Visitor,
    Path(sha256): Path<Digest>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let requester = Requester::from(visitor);
    let firmware = open_blob(&app, &requester, sha256).await.map_err(gone)?;
    let content = image(&app, &requester, &fetching.site, &firmware, &method).await?;
    fetching.remember(&app, &requester, &firmware, IMAGE);
    Ok(serve(content, &method, &headers))
}

/// The content of an image. Only a GET takes a place among the downloads.
async fn image(
    app: &App,
    requester: &Requester,
    site: &Remote,
    firmware: &Firmware,
    method: &Method,
) -> Result<Content, ApiError> {
    let sending = match *method {
        Method::GET => Some(send_firmware(app, requester, site, firmware).await?),
        _ => None,
    };
    let (elsewhere, open): (_, Open) = match sending {
        Some(Sending::Here(sender)) => (None, Box::new(move |range| pieces(sender, range))),
        Some(Sending::Elsewhere(url)) => (Some(url), Box::new(|_| Body::empty())),
        None => (None, Box::new(|_| Body::empty())),
    };
    Ok(Content {
        tag: EntityTag::of(&firmware.blob.digest()),
        len_bytes: firmware.blob.len_bytes(),
        media_type: IMAGE,
        // Not even for public products: a proxy must not go on serving what was withdrawn.
        caching: Caching::Private,
        elsewhere,
        open,
    })
}

fn release_version(text: &str) -> Result<ReleaseVersion, ApiError> {
    ReleaseVersion::new(text).map_err(|error| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_path", error)
            .with_found(text, "a release version")
    })
}

fn nonce(text: Option<&str>) -> Result<[u8; NONCE_BYTES], ApiError> {
    let text = text.unwrap_or_default();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8; 2]| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(pair).collect::<Option<_>>().filter(|_| rest.is_empty());
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_query", "nonce: it is 32 hex digits")
            .with_found(text, "32 hex digits")
    })
}

/// To install what was withdrawn, or is trusted no more, is a conflict; to download it is 410.
fn gone(error: OperationError) -> ApiError {
    match error {
        OperationError::Refused(
            refusal @ (Refusal::ReleaseYanked(_) | Refusal::ReleaseUntrusted { .. }),
        ) => ApiError::new(StatusCode::GONE, refusal.code(), refusal),
        other => other.into(),
    }
}

fn not_a_root_number(text: &str) -> ApiError {
    let detail = "root documents are numbered from 1";
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_path", detail)
        .with_found(text, "a number or `latest`")
}
