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

#[cfg(test)]
mod tests {
    use axum::http::{StatusCode, header};
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn a_busy_server_says_when_to_come_again() {
        let answer = ApiError::from(OperationError::from(Refusal::Busy)).into_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    }
}
