//! What the refusals of operations are called in HTTP.

use axum::http::StatusCode;
use otaru_operations::{Kind, OperationError, Refusal};

use crate::ApiError;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let status = match refusal.kind() {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Gone => StatusCode::GONE,
            Kind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Full => StatusCode::INSUFFICIENT_STORAGE,
        };
        let error = ApiError::new(status, refusal.code(), &refusal);
        let error = error.with_retry_after(refusal.retry_after_s());
        let error = error.with_challenge(refusal.challenge());
        match refusal.found_and_expected() {
            Some((found, expected)) => error.with_found(found, expected),
            None => error,
        }
    }
}

impl From<OperationError> for ApiError {
    fn from(error: OperationError) -> ApiError {
        match error {
            OperationError::Refused(refusal) => refusal.into(),
            fault => ApiError::internal(&fault),
        }
    }
}
