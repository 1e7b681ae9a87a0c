//! `/things/{thing}/shadow` and the list of named shadows: the AWS IoT data
//! plane, for clients that speak it unchanged.
//!
//! Errors have AWS's shape, not ours: boto3 finds the exception in a header,
//! and a number in the body's `code` breaks other SDKs.

mod names;
mod refused;

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use otaru_operations::{
    App, ShadowActor, delete_shadow, get_shadow, shadow_actor_of_device, update_shadow,
};
use otaru_shadow::Rejection;
use otaru_wire::{ShadowId, ShadowName, ThingName};
use serde::Deserialize;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::extract::{Path, Query, read_body};
use crate::identity::Visitor;
use crate::site::Site;
use refused::Refused;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(get, update, delete).map(with_method_refused))
        .routes(routes!(names::list).map(with_method_refused))
        .layer(middleware::from_fn(refused::dress))
}

/// A fallback of its own, which the one of the whole router does not replace.
fn with_method_refused(methods: MethodRouter<Site>) -> MethodRouter<Site> {
    methods.fallback(|| async { Refused(Rejection::method_not_allowed()) })
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

/// What a request wants to do with shadows.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

fn admit(visitor: Visitor, thing: &ThingName, access: Access) -> Result<ShadowActor, Rejection> {
    match (visitor, access) {
        (Visitor::Device(device), _) => shadow_actor_of_device(&device, thing),
        (Visitor::Person(actor), Access::Read) => actor.shadow_reader(),
        (Visitor::Person(actor), Access::Write) => actor.shadow_writer(),
        (Visitor::Stranger, _) => Err(Rejection::unauthorized()),
    }
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
    visitor: Result<Visitor, crate::ApiError>,
    Shadow(shadow): Shadow,
) -> Result<Response, Refused> {
    let actor = admit(visitor?, &shadow.thing, Access::Read)?;
    Ok(document(get_shadow(&app, &actor, shadow).await??))
}

/// UpdateThingShadow
#[utoipa::path(post, path = "/things/{thing}/shadow", operation_id = "update_shadow", tag = "shadows",
    params(("thing" = String, Path, description = "Thing name"),
        ("name" = Option<String>, Query, description = "Shadow name; the classic one without")),
    request_body = Object, responses((status = 200, body = Object)))]
async fn update(
    State(app): State<App>,
    visitor: Result<Visitor, crate::ApiError>,
    Shadow(shadow): Shadow,
    Payload(payload): Payload,
) -> Result<Response, Refused> {
    let actor = admit(visitor?, &shadow.thing, Access::Write)?;
    Ok(document(update_shadow(&app, &actor, shadow, &payload).await??))
}

/// DeleteThingShadow
#[utoipa::path(delete, path = "/things/{thing}/shadow", operation_id = "delete_shadow", tag = "shadows",
    params(("thing" = String, Path, description = "Thing name"),
        ("name" = Option<String>, Query, description = "Shadow name; the classic one without")),
    responses((status = 200, body = Object)))]
async fn delete(
    State(app): State<App>,
    visitor: Result<Visitor, crate::ApiError>,
    Shadow(shadow): Shadow,
) -> Result<Response, Refused> {
    let actor = admit(visitor?, &shadow.thing, Access::Write)?;
    Ok(document(delete_shadow(&app, &actor, shadow).await??))
}

/// A body of any content type: boto3 sends none.
struct Payload(axum::body::Bytes);

impl FromRequest<Site> for Payload {
    type Rejection = Refused;

    async fn from_request(request: Request, site: &Site) -> Result<Payload, Refused> {
        Ok(Payload(read_body(request, site).await?))
    }
}
