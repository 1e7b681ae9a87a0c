//! `/api/v1/devices/{thing}/claim-code`: what is printed and put into the box.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{App, claim_url, create_claim_code};
use otaru_wire::ThingName;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create))
}

#[derive(Serialize, ToSchema)]
struct ClaimCodeResponse {
    /// The device.
    thing: String,
    /// The code, for one use; in this answer and nowhere else.
    code: String,
    /// The page of the app that takes it, as a printed QR code shows it.
    url: String,
}

/// Makes a new claim code; an unused older one stops working.
#[utoipa::path(post, path = "/api/v1/devices/{thing}/claim-code", operation_id = "create_claim_code",
    tag = "devices", params(("thing" = String, Path, description = "Thing name")),
    responses((status = 201, body = ClaimCodeResponse)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
) -> Result<(StatusCode, Json<ClaimCodeResponse>), ApiError> {
    let code = create_claim_code(&app, &actor, thing.clone()).await?;
    let url = claim_url(&app, &code);
    Ok((StatusCode::CREATED, Json(ClaimCodeResponse { thing: thing.to_string(), code, url })))
}
