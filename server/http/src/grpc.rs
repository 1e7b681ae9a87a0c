//! `otaru.v1.NotificationService`: the live events for native apps, as gRPC and as gRPC-Web.
//!
//! A call comes in like any request: the same ports, the same [`Caller`], the same operation.
//! Only its messages and its errors look different.

mod codec;
mod listening;
mod status;

use std::convert::Infallible;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post_service;
use otaru_wire::notifications::LISTEN_UPDATES_PATH;
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt};

use crate::ApiError;
use crate::identity::Caller;
use crate::site::Site;
use crate::sse::Until;

use codec::Messages;
use listening::ListenUpdates;

/// Every call of the service, known or not.
const SERVICE_PATH: &str = "/otaru.v1.NotificationService/{method}";

/// What gRPC and gRPC-Web begin their content types with.
const GRPC: &str = "application/grpc";
const GRPC_WEB: &str = "application/grpc-web";

/// The longest request message taken: two numbers, and what later versions add.
const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// The longest message sent. No event comes near it: notes have 16 KiB, a shadow's settings 8.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// The routes of the service.
pub(crate) fn routes(site: Site) -> Router<Site> {
    let call = tower::service_fn(move |request: http::Request<Body>| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(answer(&site, request).await) }
    });
    let calls = GrpcWebLayer::new().layer(call);
    let checked = tower::service_fn(move |request: Request| {
        let calls = calls.clone();
        async move {
            match check_content_type(&request) {
                Ok(()) => calls.oneshot(request).await.map(unbuffered),
                Err(error) => Ok(error.into_response()),
            }
        }
    });
    Router::new().route(SERVICE_PATH, post_service(checked))
}

/// Answers a call to a service this server does not have; `None` if the request is no call.
pub(crate) fn unknown_call(headers: &HeaderMap) -> Option<Response> {
    let content_type = content_type(headers);
    if !content_type.starts_with(GRPC) {
        return None;
    }
    let mut response = unimplemented().into_http::<axum::body::Body>();
    if content_type.starts_with(GRPC_WEB) {
        let web = HeaderValue::from_static("application/grpc-web+proto");
        response.headers_mut().insert(header::CONTENT_TYPE, web);
    }
    Some(response)
}

async fn answer(site: &Site, request: http::Request<Body>) -> http::Response<Body> {
    if request.uri().path() != LISTEN_UPDATES_PATH {
        return unimplemented().into_http();
    }
    let (mut parts, body) = request.into_parts();
    let Caller(actor) = match Caller::from_request_parts(&mut parts, site).await {
        Ok(caller) => caller,
        Err(error) => return status::of(&error).into_http(),
    };
    let Ok(until) = Until::from_request_parts(&mut parts, site).await;
    let call = ListenUpdates { app: site.app.clone(), actor, until: Some(until) };
    Grpc::new(Messages)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES)
        .streaming(call, http::Request::from_parts(parts, body))
        .await
}

fn unimplemented() -> Status {
    let detail = "this server has no such call";
    status::of(&ApiError::new(StatusCode::NOT_FOUND, "route_unknown", detail))
}

/// A proxy that collects an answer until it is whole would keep back events.
fn unbuffered(response: http::Response<Body>) -> Response {
    let mut response = response.map(axum::body::Body::new);
    let name = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(name, HeaderValue::from_static("no"));
    response
}

/// gRPC needs HTTP/2; gRPC-Web does not.
fn check_content_type(request: &Request) -> Result<(), ApiError> {
    let found = content_type(request.headers());
    let is_web = found.starts_with(GRPC_WEB);
    if is_web || found.starts_with(GRPC) && request.version() == Version::HTTP_2 {
        return Ok(());
    }
    let detail = "this is a gRPC call: application/grpc over HTTP/2, or application/grpc-web+proto";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        .with_found(format!("{found} over {:?}", request.version()), "a gRPC call"))
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}
