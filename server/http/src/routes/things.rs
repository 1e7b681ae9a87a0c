//! `/things/{thing}/shadow`, the list of named shadows and `/topics/{topic}`: the AWS IoT
//! data plane, for clients that speak it unchanged.
//!
//! Errors have AWS's shape, not ours: boto3 finds the exception in a header,
//! and a number in the body's `code` breaks other SDKs.

mod asker;
mod names;
mod publish;
mod refused;

use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use otaru_operations::{App, delete_shadow, get_shadow, update_shadow};
use otaru_shadow::Rejection;
use otaru_wire::{ShadowId, ShadowName, ThingName};
use serde::Deserialize;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::extract::{Path, Query};
use crate::site::Site;
use asker::Asked;
pub(crate) use refused::DataPlaneError;
pub(super) use refused::ErrorsHaveTraceId;
use refused::Refused;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(get, update, delete).map(with_method_refused))
        .routes(routes!(names::list).map(with_method_refused))
        .merge(publish::routes())
        .layer(middleware::from_fn(refused::dress))
}

/// A fallback of its own, which the one of the whole router does not replace.
fn with_method_refused(methods: MethodRouter<Site>) -> MethodRouter<Site> {
    methods.fallback(|| async { Refused::from(Rejection::method_not_allowed()) })
}

/// The shadow that a request names.
struct Shadow(ShadowId);

#[derive(Deserialize)]
struct Which {
    name: Option<String>,
}

impl FromRequestParts<Site> for Shadow {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Shadow, Refused> {
        let thing = thing(parts, site).await?;
        let Query(Which { name }) = Query::from_request_parts(parts, site).await?;
        let name = name.map(|name| ShadowName::new(&name)).transpose();
        let name = name.map_err(|error| Rejection::invalid_request(&error.to_string()))?;
        Ok(Shadow(ShadowId { thing, name }))
    }
}

async fn thing(parts: &mut Parts, site: &Site) -> Result<ThingName, Refused> {
    let Path(thing) = Path::from_request_parts(parts, site).await?;
    Ok(thing)
}

/// A document as bytes: it is stored and compared as text and not parsed again.
fn document(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// GetThingShadow
#[utoipa::path(get, path = "/things/{thing}/shadow", operation_id = "get_shadow", tag = "shadows",
    params(("thing" = String, Path, description = "Thing name"),
        ("name" = Option<String>, Query, description = "Shadow name; the classic one without")),
    responses((status = 200, body = Object)))]
async fn get(
    State(app): State<App>,
    Shadow(shadow): Shadow,
    Asked { asker, .. }: Asked,
) -> Result<Response, Refused> {
    let actor = asker.shadow_reader(&shadow.thing)?;
    Ok(document(get_shadow(&app, &actor, shadow).await??))
}

/// UpdateThingShadow
#[utoipa::path(post, path = "/things/{thing}/shadow", operation_id = "update_shadow", tag = "shadows",
    params(("thing" = String, Path, description = "Thing name"),
        ("name" = Option<String>, Query, description = "Shadow name; the classic one without")),
    request_body = Object, responses((status = 200, body = Object)))]
async fn update(
    State(app): State<App>,
    Shadow(shadow): Shadow,
    Asked { asker, body }: Asked,
) -> Result<Response, Refused> {
    let actor = asker.shadow_writer(&shadow.thing)?;
    Ok(document(update_shadow(&app, &actor, shadow, &body).await??))
}

/// DeleteThingShadow
#[utoipa::path(delete, path = "/things/{thing}/shadow", operation_id = "delete_shadow", tag = "shadows",
    params(("thing" = String, Path, description = "Thing name"),
        ("name" = Option<String>, Query, description = "Shadow name; the classic one without")),
    responses((status = 200, body = Object)))]
async fn delete(
    State(app): State<App>,
    Shadow(shadow): Shadow,
    Asked { asker, .. }: Asked,
) -> Result<Response, Refused> {
    let actor = asker.shadow_writer(&shadow.thing)?;
    Ok(document(delete_shadow(&app, &actor, shadow).await??))
}
