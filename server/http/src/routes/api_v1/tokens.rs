//! `/api/v1/tokens`: what programs and people authenticate with.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use otaru_operations::{
    App, NewAccessKey, NewToken, Page, Role, TokenObject, create_access_key, create_token,
    list_tokens, revoke_token,
};
use otaru_wire::ThingName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(create, list)).routes(routes!(revoke))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateTokenRequest {
    /// E-mail address of the person it acts for.
    user: Option<String>,
    /// What it may do; as much as its person, or as the caller, if not given. A person's
    /// token never has more than that person's role now.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// When it stops working, RFC 3339; never if not given.
    #[schema(value_type = Option<String>)]
    expires_at: Option<DateTime<Utc>>,
    /// What to call it: one line of up to 64 characters.
    label: Option<String>,
    /// Whether to make an access key instead, for clients of AWS IoT: it signs requests to
    /// shadows and topics and is good for nothing else.
    #[serde(default)]
    aws: bool,
    /// The things an access key is limited to; any if not given.
    #[schema(value_type = Option<Vec<String>>)]
    things: Option<Vec<ThingName>>,
}

#[derive(Serialize, ToSchema)]
struct CreateTokenResponse {
    /// The token's record.
    #[serde(flatten)]
    record: TokenObject,
    /// The token itself; in this answer and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What an access key is called where it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    /// The secret of an access key; in this answer and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<String>,
}

impl From<NewAccessKey> for CreateTokenResponse {
    fn from(key: NewAccessKey) -> CreateTokenResponse {
        let NewAccessKey { record, secret } = key;
        let access_key_id = Some(record.id.clone());
        let secret_access_key = Some(secret.to_string());
        CreateTokenResponse { record, token: None, access_key_id, secret_access_key }
    }
}

/// Makes a token. Administrators make any; whoever signed in with a password, their own.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "create_token", tag = "people",
    request_body = CreateTokenRequest, responses((status = 201, body = CreateTokenResponse)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(request): Json<CreateTokenRequest>,
) -> Result<(StatusCode, Json<CreateTokenResponse>), ApiError> {
    let CreateTokenRequest { user, role, expires_at, label, aws, things } = request;
    let expires_at = expires_at.map(|at| at.timestamp_millis());
    let new = NewToken { user, role, expires_at, label };
    let made = match (aws, things) {
        (true, things) => create_access_key(&app, &actor, new, things).await?.into(),
        (false, None) => {
            let (record, token) = create_token(&app, &actor, new).await?;
            let (access_key_id, secret_access_key) = (None, None);
            CreateTokenResponse { record, token: Some(token), access_key_id, secret_access_key }
        }
        (false, Some(_)) => {
            let detail = "things: only an access key is limited to some; `aws` makes one";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_field", detail));
        }
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Tokens, by id.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "people",
    params(Paging), responses((status = 200, body = Page<TokenObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<TokenObject>>, ApiError> {
    Ok(Json(list_tokens(&app, &actor, paging.into()).await?))
}

/// Stops a token from working. Any token may end itself.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "people",
    params(("id" = String, Path, description = "Token id")), responses((status = 204)))]
async fn revoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    revoke_token(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
