//! The pages: the owner's app at `/`, the developer's console at `/console`.
//!
//! They are files built from `web/` and embedded in a release build; a debug build reads them
//! from the checkout, so that a change shows without compiling.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use tower::ServiceExt;
use tower_http::compression::{CompressionLayer, predicate::SizeAbove};

use crate::site::Site;
use crate::{error, grpc};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// First parts of paths that belong to programs: an unknown one is an error, not a page.
const FOR_PROGRAMS: [&str; 8] =
    ["api", "app", "assets", "docs", "firmware", "things", "topics", "openapi.json"];

/// Only what came with the page itself: no inline script or style, nobody else's content.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; manifest-src 'self'; font-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Answers every path that is no route of the API.
pub(crate) fn fallback() -> Router<Site> {
    let pages = tower::service_fn(|request: Request| async move { Ok(page(&request)) });
    // Fonts and icons are compressed already; the predicate leaves small files alone.
    let compressed = CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(512));
    let service = tower::ServiceBuilder::new().layer(compressed).service(pages);
    Router::new().fallback_service(service.map_response(IntoResponse::into_response))
}

fn page(request: &Request) -> Response {
    let (method, uri) = (request.method(), request.uri());
    if method != Method::GET && method != Method::HEAD {
        if let Some(unknown_call) = grpc::unknown_call(request.headers()) {
            return unknown_call;
        }
        return error::route_unknown_at(uri).into_response();
    }
    let path = uri.path().trim_matches('/');
    match Some(path).filter(|path| is_plain(path)).and_then(Files::get) {
        Some(file) => file_response(path, file, request.headers()),
        None => entry(path, uri, request.headers()),
    }
}

/// The page whose script knows what to show at `path`.
fn entry(path: &str, uri: &Uri, headers: &HeaderMap) -> Response {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    if FOR_PROGRAMS.contains(&first) || first.starts_with("otaru.") || is_file {
        return error::route_unknown_at(uri).into_response();
    }
    let name = if first == "console" { "console.html" } else { "index.html" };
    match Files::get(name) {
        Some(file) => file_response(name, file, headers),
        None => {
            let text = "The pages are not in this build: run `make web`, then build again.\n";
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

/// A name that can be a file: in a debug build it is looked up on disk.
fn is_plain(path: &str) -> bool {
    !path.is_empty() && !path.split('/').any(|part| part.is_empty() || part.starts_with('.'))
}

fn file_response(name: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()));
    // A name in `assets` changes with its content; the others must be asked for again.
    let keep = match name.starts_with("assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let same = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_same = same.is_some_and(|tags| tags.split(',').any(|tag| weak(tag) == etag));
    let mut response = match is_same {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.data.into_owned().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(name));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::ETAG, HeaderValue::from_str(&etag).expect("hex is ASCII"));
    response
}

/// A tag as the server gave it: a compressed copy is only weakly the same.
fn weak(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, path: &str) -> Response {
        let request = Request::builder().method(method).uri(path);
        page(&request.body(axum::body::Body::empty()).unwrap())
    }

    #[test]
    fn what_belongs_to_programs_is_no_page() {
        for path in ["/api/v2", "/app/nothing", "/assets/gone.js", "/firmware", "/favicon.bmp"] {
            let response = asked(Method::GET, path);
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
            assert_eq!(kind, "application/problem+json", "{path}");
        }
        assert_eq!(asked(Method::POST, "/claim").status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn no_path_leaves_the_folder() {
        for path in ["", "../Cargo.toml", "assets/../../package.json", ".gitignore", "a//b"] {
            assert!(!is_plain(path), "{path}");
        }
        assert!(is_plain("assets/main-1f2e.js"));
    }
}
