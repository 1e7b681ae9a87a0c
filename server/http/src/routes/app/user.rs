//! `/app/user`: the person, their password, and the call of the first product's app.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, Language, Password, UserObject, UserSettings, change_password, set_user_settings,
    show_user,
};
use otaru_wire::ReleaseVersion;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show, set_settings)).routes(routes!(change))
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
    /// `en`, `ja` or `de`; null for no choice.
    #[serde(default, deserialize_with = "language")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<Language>>,
}

/// Tells null from nothing said.
fn language<'de, D: Deserializer<'de>>(said: D) -> Result<Option<Option<Language>>, D::Error> {
    let text = Option::<String>::deserialize(said)?;
    let language = text.map(|text| text.parse()).transpose();
    language.map(Some).map_err(serde::de::Error::custom)
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
    let SetUserSettingsRequest { firmware_version, phrase_type, language } = request;
    let settings = UserSettings { firmware_version, phrase_type, language };
    Ok(Json(set_user_settings(&app, &actor, settings).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePasswordRequest {
    /// The password the person has.
    #[schema(value_type = String, format = Password)]
    current: Password,
    /// The new one: 10 to 200 characters.
    #[schema(value_type = String, format = Password)]
    password: Password,
}

/// Changes the caller's password; their other sessions end.
#[utoipa::path(put, path = "/app/user/password", operation_id = "change_password", tag = "app",
    request_body = ChangePasswordRequest, responses((status = 204)))]
async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<ChangePasswordRequest>,
) -> Result<StatusCode, ApiError> {
    let ChangePasswordRequest { current, password } = request;
    change_password(&app, &actor, current, password).await?;
    Ok(StatusCode::NO_CONTENT)
}
