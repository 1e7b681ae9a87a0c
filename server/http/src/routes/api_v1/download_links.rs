//! Links by which somebody without certificate or token fetches an image for a while.

use axum::extract::State;
use otaru_operations::{App, DownloadLinkObject, create_download_link};
use otaru_wire::{ProductName, ReleaseVersion, ThingName};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, OptionalJson, Path};
use crate::identity::Caller;
use crate::site::Site;

/// How long a link holds if nobody says: for a person to pass it on and somebody to follow it.
const USUAL_LIFETIME_S: u32 = 3_600;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateDownloadLinkRequest {
    /// The device whose download it is: the update of a plain client moves on by it.
    #[schema(value_type = Option<String>)]
    thing: Option<ThingName>,
    /// How long it holds, 1 to 604800 seconds; an hour if nothing is said.
    lifetime_s: Option<u32>,
}

/// Makes a link to the image of a release, which needs neither certificate nor token and ends by
/// itself, or when the release is withdrawn. The body may be left out.
#[utoipa::path(post, path = "/api/v1/products/{product}/releases/{version}/link",
    operation_id = "create_download_link", tag = "releases",
    params(("product" = String, Path, description = "Product name"),
        ("version" = String, Path, description = "Release version")),
    request_body = Option<CreateDownloadLinkRequest>,
    responses((status = 200, body = DownloadLinkObject)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((product, version)): Path<(ProductName, ReleaseVersion)>,
    OptionalJson(request): OptionalJson<CreateDownloadLinkRequest>,
) -> Result<Json<DownloadLinkObject>, ApiError> {
    let CreateDownloadLinkRequest { thing, lifetime_s } = request.unwrap_or_default();
    let lifetime_s = lifetime_s.unwrap_or(USUAL_LIFETIME_S);
    Ok(Json(create_download_link(&app, &actor, product, version, thing, lifetime_s).await?))
}
