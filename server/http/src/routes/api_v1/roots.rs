//! `/api/v1/products/{product}/roots`: whose signatures count.

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_operations::{App, RootObject, add_root};
use otaru_wire::ProductName;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(add))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddRootRequest {
    /// The signed root document that follows the newest one, base64.
    root: String,
}

/// Adds the next root document: 201, or 200 if it is there already.
///
/// Devices that come back after a long time follow all of them, one by one. One that names a
/// server key must name one of this server's.
#[utoipa::path(post, path = "/api/v1/products/{product}/roots", operation_id = "add_root",
    tag = "products", params(("product" = String, Path, description = "Product name")),
    request_body = AddRootRequest,
    responses((status = 201, body = RootObject), (status = 200, body = RootObject)))]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(product): Path<ProductName>,
    Json(request): Json<AddRootRequest>,
) -> Result<(StatusCode, Json<RootObject>), ApiError> {
    let document = base64_root(&request.root)?;
    let (root, is_new) = add_root(&app, &actor, product, document).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(root)))
}

/// The bytes of a root document in a request.
///
/// A private key pasted as it is, not in base64, reaches the check that names it all the same.
pub(super) fn base64_root(text: &str) -> Result<Vec<u8>, ApiError> {
    match STANDARD.decode(text) {
        Ok(document) => Ok(document),
        Err(_) if text.contains("PRIVATE KEY") || text.contains("secret") => {
            Ok(text.as_bytes().to_vec())
        }
        Err(error) => {
            let detail = format!("root: {error}");
            Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
                .with_found(text, "base64 with padding"))
        }
    }
}
