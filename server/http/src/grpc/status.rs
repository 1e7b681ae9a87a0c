//! What an error of the API is called in gRPC.

use axum::http::StatusCode;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::ApiError;

/// Where the stable code stands.
const CODE_KEY: &str = "otaru-code";

/// The status with the error's code and explanation.
pub(super) fn of(error: &ApiError) -> Status {
    let code = match error.status() {
        StatusCode::BAD_REQUEST => Code::InvalidArgument,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        // The one thing that is looked for is the call itself.
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::REQUEST_TIMEOUT => Code::DeadlineExceeded,
        StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Internal,
    };
    let mut metadata = MetadataMap::new();
    metadata.insert(CODE_KEY, MetadataValue::from_static(error.code()));
    Status::with_metadata(code, error.detail(), metadata)
}

#[cfg(test)]
mod tests {
    use otaru_operations::Refusal;

    use super::*;

    #[test]
    fn a_refusal_keeps_its_code() {
        let told = |refusal: Refusal| {
            let status = of(&refusal.into());
            let code = status.metadata().get(CODE_KEY).unwrap().to_str().unwrap().to_owned();
            format!("{:?} {code}", status.code())
        };
        assert_eq!(told(Refusal::Unauthenticated), "Unauthenticated unauthenticated");
        assert_eq!(told(Refusal::UserRequired), "PermissionDenied user_required");
        assert_eq!(told(Refusal::InvalidText), "InvalidArgument invalid_text");
        assert_eq!(
            told(Refusal::TooManyAttempts { come_again_s: 1 }),
            "ResourceExhausted too_many_attempts"
        );
    }
}
