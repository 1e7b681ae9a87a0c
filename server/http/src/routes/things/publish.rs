//! Publish.

use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use otaru_operations::{App, NewMessage, publish_message};
use otaru_shadow::Rejection;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::asker::Asked;
use super::refused::Refused;
use super::with_method_refused;
use crate::extract::Query;
use crate::layers::RequestId;
use crate::site::Site;

/// AWS's limit of a message.
const MOST_BYTES: usize = 128 * 1024;

const TOPICS: &str = "/topics/";

pub(super) fn routes() -> OpenApiRouter<Site> {
    let deeper = axum::routing::post(publish);
    OpenApiRouter::default()
        .routes(routes!(publish).map(with_method_refused))
        // AWS's clients encode the slashes of a topic; people with curl do not.
        .route("/topics/{topic}/{*rest}", with_method_refused(deeper))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// Where and how to publish.
struct Wanted {
    topic: String,
    at_least_once: bool,
    retain: bool,
}

#[derive(Deserialize)]
struct How {
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
}

impl FromRequestParts<Site> for Wanted {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Wanted, Refused> {
        let Query(How { qos, retain }) = Query::from_request_parts(parts, site).await?;
        if qos > 1 {
            return Err(Rejection::invalid_request("qos must be 0 or 1").into());
        }
        // Not as the router splits it: a topic has slashes of its own, at its ends too.
        let encoded = parts.uri.path().strip_prefix(TOPICS).unwrap_or_default();
        let topic = percent_decode_str(encoded).decode_utf8();
        let topic = topic.map_err(|_| Rejection::invalid_request("Invalid topic"))?.into_owned();
        Ok(Wanted { topic, at_least_once: qos == 1, retain })
    }
}

/// What AWS answers to a message that was taken.
#[derive(Serialize, ToSchema)]
struct PublishResponse {
    /// `OK`
    message: &'static str,
    /// The request's id.
    #[serde(rename = "traceId")]
    trace_id: String,
}

/// Publish
#[utoipa::path(post, path = "/topics/{topic}", operation_id = "publish_message", tag = "topics",
    params(("topic" = String, Path, description = "Topic name, percent-encoded"),
        ("qos" = Option<u8>, Query, description = "0 or 1; 0 if not given"),
        ("retain" = Option<bool>, Query, description = "Only `false` is taken")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = PublishResponse)))]
async fn publish(
    State(app): State<App>,
    Extension(RequestId(trace_id)): Extension<RequestId>,
    Wanted { topic, at_least_once, retain }: Wanted,
    Asked { asker, body }: Asked,
) -> Result<Response, Refused> {
    let message = NewMessage { topic, payload: body, at_least_once, retain };
    publish_message(&app, &asker.publisher()?, message).await??;
    Ok(Json(PublishResponse { message: "OK", trace_id }).into_response())
}
