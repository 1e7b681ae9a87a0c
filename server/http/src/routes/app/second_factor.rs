//! `/app/second-factor`: what is asked beside the password. Open to who must set one up first.

use axum::extract::State;
use axum::http::StatusCode;
use otaru_operations::{
    App, NewSecondFactorObject, Password, Proof, RecoveryCodesObject, Refusal, SecondFactorObject,
    begin_second_factor, confirm_second_factor, remove_second_factor, renew_recovery_codes,
    show_second_factor,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::Json;
use crate::identity::{Caller, Newcomer};
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(show, begin, confirm))
        .routes(routes!(remove))
        .routes(routes!(renew))
}

/// Whether the caller has a second factor.
#[utoipa::path(get, path = "/app/second-factor", operation_id = "show_second_factor", tag = "app",
    responses((status = 200, body = SecondFactorObject)))]
async fn show(
    State(app): State<App>,
    Newcomer(actor): Newcomer,
) -> Result<Json<SecondFactorObject>, ApiError> {
    Ok(Json(show_second_factor(&app, &actor).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BeginSecondFactorRequest {
    /// The person's password.
    #[schema(value_type = String, format = Password)]
    password: Password,
}

/// Makes the secret of a second factor, which counts once it is confirmed.
#[utoipa::path(post, path = "/app/second-factor", operation_id = "begin_second_factor", tag = "app",
    request_body = BeginSecondFactorRequest,
    responses((status = 201, body = NewSecondFactorObject)))]
async fn begin(
    State(app): State<App>,
    Newcomer(actor): Newcomer,
    Json(request): Json<BeginSecondFactorRequest>,
) -> Result<(StatusCode, Json<NewSecondFactorObject>), ApiError> {
    let made = begin_second_factor(&app, &actor, request.password).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfirmSecondFactorRequest {
    /// Six digits of the authenticator app.
    code: String,
}

/// Has the second factor count from now on; answers with recovery codes.
#[utoipa::path(put, path = "/app/second-factor", operation_id = "confirm_second_factor",
    tag = "app", request_body = ConfirmSecondFactorRequest,
    responses((status = 200, body = RecoveryCodesObject)))]
async fn confirm(
    State(app): State<App>,
    Newcomer(actor): Newcomer,
    Json(request): Json<ConfirmSecondFactorRequest>,
) -> Result<Json<RecoveryCodesObject>, ApiError> {
    Ok(Json(confirm_second_factor(&app, &actor, &request.code).await?))
}

/// One of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProofRequest {
    /// Six digits of the authenticator app, or a recovery code.
    code: Option<String>,
    /// The person's password.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Password>,
}

impl ProofRequest {
    fn proof(self) -> Result<Proof, ApiError> {
        match (self.code, self.password) {
            (Some(code), None) => Ok(Proof::Code(code)),
            (None, Some(password)) => Ok(Proof::Password(password)),
            _ => {
                let detail = "send a code of the second factor, or the password".to_owned();
                Err(Refusal::InvalidField { field: "code", detail }.into())
            }
        }
    }
}

/// Removes the second factor, with a code or the password.
#[utoipa::path(post, path = "/app/second-factor/remove", operation_id = "remove_second_factor",
    tag = "app", request_body = ProofRequest, responses((status = 204)))]
async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<ProofRequest>,
) -> Result<StatusCode, ApiError> {
    remove_second_factor(&app, &actor, request.proof()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes new recovery codes, with a code or the password; the old ones are worth nothing any more.
#[utoipa::path(post, path = "/app/second-factor/recovery-codes",
    operation_id = "renew_recovery_codes", tag = "app", request_body = ProofRequest,
    responses((status = 200, body = RecoveryCodesObject)))]
async fn renew(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<ProofRequest>,
) -> Result<Json<RecoveryCodesObject>, ApiError> {
    Ok(Json(renew_recovery_codes(&app, &actor, request.proof()?).await?))
}
