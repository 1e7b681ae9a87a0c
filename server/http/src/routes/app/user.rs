//! `/app/user`: the person, and the call of the first product's app.

use axum::extract::State;
use otaru_operations::{App, UserObject, set_user_settings, show_user};
use otaru_wire::ReleaseVersion;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show, set_settings))
}

/// The caller.
#[utoipa::path(get, path = "/app/user", operation_id = "show_user", tag = "app",
    responses((status = 200, body = UserObject)))]
async fn show(State(app): State<App>, Caller(actor): Caller) -> Result<Json<UserObject>, ApiError> {
    Ok(Json(show_user(&app, &actor).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUserSettingsRequest {
    /// Install this release now.
    #[schema(value_type = Option<String>)]
    firmware_version: Option<ReleaseVersion>,
    /// The first product's phrase setting.
    phrase_type: Option<String>,
}

/// Installs a release on, or changes a setting of, the caller's one device.
///
/// With no device only the person's row changes; with several the answer is
/// 409 `device_required`.
#[utoipa::path(put, path = "/app/user", operation_id = "set_user_settings", tag = "app",
    request_body = SetUserSettingsRequest, responses((status = 200, body = UserObject)))]
async fn set_settings(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<SetUserSettingsRequest>,
) -> Result<Json<UserObject>, ApiError> {
    let SetUserSettingsRequest { firmware_version, phrase_type } = request;
    Ok(Json(set_user_settings(&app, &actor, firmware_version, phrase_type).await?))
}
