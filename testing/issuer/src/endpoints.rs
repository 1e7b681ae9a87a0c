use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::issuer::Inner;
use crate::{CLIENT, Key, SECRET};

pub(crate) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(describe))
        .route("/keys", get(keys))
        .route("/token", post(token))
        .route("/user-info", get(user_info))
        .layer(from_fn_with_state(inner.clone(), unless_away))
        .with_state(inner)
}

async fn unless_away(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    match inner.is_away.load(Ordering::SeqCst) {
        true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        false => next.run(request).await,
    }
}

async fn describe(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let url = &inner.url;
    let mut description = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "userinfo_endpoint": format!("{url}/user-info"),
        "end_session_endpoint": format!("{url}/sign-out"),
        "authorization_response_iss_parameter_supported": true,
    });
    let changes = inner.description.lock().expect("no panic").clone();
    for (name, value) in changes.as_object().expect("members") {
        match value {
            Value::Null => drop(description.as_object_mut().expect("members").remove(name)),
            value => description[name] = value.clone(),
        }
    }
    Json(description)
}

async fn keys(State(inner): State<Arc<Inner>>) -> Json<Value> {
    inner.keys_asked.fetch_add(1, Ordering::SeqCst);
    let keys = inner.keys.lock().expect("no panic");
    Json(json!({ "keys": keys.iter().map(Key::jwk).collect::<Vec<_>>() }))
}

async fn token(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let refused = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why })));
    if !is_client(&headers, &form) {
        return refused("invalid_client").into_response();
    }
    let Some(id_token) = inner.redeem(&form) else {
        return refused("invalid_grant").into_response();
    };
    let body = json!({ "id_token": id_token, "access_token": "opaque", "token_type": "Bearer" });
    Json(body).into_response()
}

/// By the header, or by the form where it is described so.
fn is_client(headers: &HeaderMap, form: &HashMap<String, String>) -> bool {
    let part =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = format!("{}:{}", part(CLIENT), part(SECRET));
    let basic = format!("Basic {}", STANDARD.encode(pair));
    let in_header = headers.get(header::AUTHORIZATION).is_some_and(|value| *value == basic);
    in_header || form.get("client_secret").is_some_and(|secret| secret == SECRET)
}

async fn user_info(State(inner): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    let asked = headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer opaque");
    match inner.user_info.lock().expect("no panic").clone().filter(|_| asked) {
        Some(info) => Json(info).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
