//! Values from the path and the query.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::ApiError;

/// Values of the path, percent-decoded; what does not parse is `invalid_path`.
pub(crate) struct Path<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(refused(error.kind())),
            Err(error) => Err(ApiError::internal(&error)),
        }
    }
}

fn refused(kind: &ErrorKind) -> ApiError {
    let refuse = |detail: String| ApiError::new(StatusCode::BAD_REQUEST, "invalid_path", detail);
    match kind {
        ErrorKind::DeserializeError { key, value, message } => {
            refuse(format!("{key}: {message}")).with_found(value, message)
        }
        ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
            refuse(format!("{key} is not a {expected_type}")).with_found(value, expected_type)
        }
        ErrorKind::ParseErrorAtIndex { value, expected_type, .. }
        | ErrorKind::ParseError { value, expected_type } => {
            refuse(format!("the path is not a {expected_type}")).with_found(value, expected_type)
        }
        other => refuse(other.to_string()),
    }
}

/// Values of the query; what does not parse is `invalid_query`.
pub(crate) struct Query<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, ApiError> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let detail = cause.unwrap_or_else(|| error.body_text());
                Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_query", detail))
            }
        }
    }
}
