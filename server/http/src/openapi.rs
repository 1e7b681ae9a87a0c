//! The description of the API: OpenAPI 3.1, made from the handlers themselves.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, Header, HeaderBuilder, InfoBuilder, License, ObjectBuilder,
    OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::error::Problem;
use crate::routes::DataPlaneError;
use crate::site::Site;

/// Names of the ways to authenticate here; a client certificate is not
/// something an API description can ask for.
const BEARER: &str = "bearer";
const SESSION: &str = "session";

/// Where paths of the data plane begin.
const DATA_PLANE: [&str; 3] = ["/things/", "/api/things/", "/topics/"];

/// What AWS's clients do on the data plane.
const SIGV4: &str = "sigv4";

/// The header of who comes too often.
const RETRY_AFTER: &str = "Retry-After";

/// The tags of the data plane.
const DATA_PLANE_TAGS: [&str; 2] = ["shadows", "topics"];

/// The tags of routes that not everybody needs a credential for.
const OPEN_TAGS: [&str; 4] = ["authority", "enrolment", "health", "session"];

/// An empty description to merge routes into.
pub(crate) fn start() -> OpenApiRouter<Site> {
    let info = InfoBuilder::new()
        .title("Otaru")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Firmware updates over the air: devices, releases, updates."))
        .license(Some(License::new("MIT OR Apache-2.0")))
        .build();
    let mut components = Components::new();
    components.add_security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = "A browser's, as `POST /app/session` gives it; named `otaru` on plain HTTP";
    let cookie = ApiKeyValue::with_description("__Host-otaru", cookie);
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let signed = "AWS Signature Version 4 for the service `iotdata`, with an access key";
    let signed = ApiKeyValue::with_description("Authorization", signed);
    components.add_security_scheme(SIGV4, SecurityScheme::ApiKey(ApiKey::Header(signed)));
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(DataPlaneError::name().into_owned(), DataPlaneError::schema());
    let document = OpenApiBuilder::new().info(info).components(Some(components)).build();
    OpenApiRouter::with_openapi(document)
}

/// Adds what all operations share.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let is_data_plane = DATA_PLANE.iter().any(|prefix| path.starts_with(prefix));
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
            &mut item.head,
        ];
        for operation in operations.into_iter().flatten() {
            complete_operation(operation, is_data_plane);
        }
    }
    document
}

fn complete_operation(operation: &mut Operation, is_data_plane: bool) {
    let (why, kind, body) = match is_data_plane {
        true => ("Refused, as AWS says it", "application/json", DataPlaneError::name()),
        false => ("Refused; `code` says why", "application/problem+json", Problem::name()),
    };
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
    let refused = ResponseBuilder::new()
        .description(why)
        .content(kind, body)
        .header(RETRY_AFTER, retry_after("Whole seconds, with a 429 and from a busy server"))
        .build();
    operation.responses.responses.insert("default".to_owned(), refused.into());
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if response.description.is_empty() {
            response.description = reason_phrase(status).to_owned();
        }
        if status == "429" {
            response.headers.insert(RETRY_AFTER.to_owned(), retry_after("Whole seconds").into());
        }
    }
    let has_one_of =
        |tags: &[&str]| operation.tags.iter().flatten().any(|tag| tags.contains(&tag.as_str()));
    let no_scopes: [&str; 0] = [];
    let mut ways = [BEARER, SESSION].map(|name| SecurityRequirement::new(name, no_scopes)).to_vec();
    if has_one_of(&OPEN_TAGS) {
        ways.insert(0, SecurityRequirement::default());
    }
    if has_one_of(&DATA_PLANE_TAGS) {
        ways.push(SecurityRequirement::new(SIGV4, no_scopes));
    }
    operation.security = Some(ways);
}

/// When the same request may go better.
fn retry_after(description: &str) -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    HeaderBuilder::new().schema(Some(seconds)).description(Some(description)).build()
}

/// OpenAPI wants a description of every response; the status says it all where a
/// handler gave none.
fn reason_phrase(status: &str) -> &'static str {
    let status = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    status.and_then(|status| status.canonical_reason()).unwrap_or("Done")
}

/// `/openapi.json`, for everybody.
pub(crate) fn routes(document: OpenApi) -> Router<Site> {
    let json = complete(document).to_json().expect("the description is plain values");
    Router::new().route("/openapi.json", get(serve).with_state(axum::body::Bytes::from(json)))
}

async fn serve(State(json): State<axum::body::Bytes>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, no-cache")],
        json,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set to anything, it makes the test below write the file instead of comparing it.
    const REGENERATE: &str = "OTARU_REGENERATE";

    #[test]
    fn the_committed_description_is_that_of_the_routes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let document = complete(crate::routes::api().split_for_parts().1);
        let json = document.to_pretty_json().unwrap() + "\n";
        if std::env::var_os(REGENERATE).is_some() {
            std::fs::write(path, &json).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == json, "docs/openapi.json is old: run this test with {REGENERATE}=1");
    }

    #[test]
    fn every_operation_has_its_own_id() {
        let document = complete(crate::routes::api().split_for_parts().1);
        let value = serde_json::to_value(document).unwrap();
        let paths = value["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let mut ids: Vec<&str> =
            operations.filter_map(|operation| operation["operationId"].as_str()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert!(all > 30, "only {all} operations are described");
    }
}
