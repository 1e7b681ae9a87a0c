//! The error shape of the AWS data plane.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use otaru_operations::OperationError;
use otaru_shadow::Rejection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ApiError;
use crate::layers::RequestId;
use crate::sigv4::NotSignedIn;

const X_AMZN_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A refusal of the data plane. [`dress`] gives it its body, which holds the request's id.
#[derive(Clone)]
pub(super) struct Refused {
    rejection: Rejection,
    /// When it may go better, in seconds.
    retry_after_s: Option<u32>,
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Refused {
        // Limits are for a second, or for requests under way.
        let retry_after_s = (rejection.code == 429).then_some(1);
        Refused { rejection, retry_after_s }
    }
}

/// An extractor's refusal, in this service's words.
impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        let rejection = match error.status() {
            StatusCode::UNAUTHORIZED => Rejection::unauthorized(),
            StatusCode::FORBIDDEN => Rejection::forbidden(),
            StatusCode::PAYLOAD_TOO_LARGE => Rejection::too_large(),
            StatusCode::TOO_MANY_REQUESTS => Rejection::too_many_requests("Too Many Requests"),
            status if status.is_server_error() => Rejection::internal(),
            _ => Rejection::invalid_request(error.detail()),
        };
        let retry_after_s = error.retry_after_s();
        Refused { retry_after_s, ..rejection.into() }
    }
}

impl From<NotSignedIn> for Refused {
    fn from(refused: NotSignedIn) -> Refused {
        match refused {
            NotSignedIn::Rejected(rejection) => rejection.into(),
            NotSignedIn::Error(error) => error.into(),
        }
    }
}

impl From<OperationError> for Refused {
    fn from(error: OperationError) -> Refused {
        ApiError::from(error).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.rejection.code);
        let mut response = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of an error. No `code`: some SDKs read it as text and fail on a number.
#[derive(Serialize, ToSchema)]
pub(crate) struct DataPlaneError<'a> {
    /// What was wrong.
    message: &'a str,
    /// The request, as `x-amzn-requestid` names it.
    #[serde(rename = "traceId", skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

/// Whether errors name the request's id in their body, too.
#[derive(Clone, Copy)]
pub(in crate::routes) struct ErrorsHaveTraceId(pub(in crate::routes) bool);

/// Gives every response its request id, and a refusal its header and body.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let RequestId(request_id) = request_id.expect("the outermost layer names every request");
    let named = request.extensions().get::<ErrorsHaveTraceId>().is_none_or(|named| named.0);
    let mut response = next.run(request).await;
    if let Some(Refused { rejection, .. }) = response.extensions_mut().remove::<Refused>() {
        let trace_id = Some(&*request_id).filter(|_| named);
        let body = DataPlaneError { message: &rejection.message, trace_id };
        let (head, body) = Json(body).into_response().into_parts();
        *response.body_mut() = Body::new(body);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.extend(head.headers);
        headers.insert(X_AMZN_ERROR_TYPE, HeaderValue::from_static(rejection.error_type()));
    }
    let request_id = HeaderValue::from_str(&request_id).expect("a UUID is ASCII");
    response.headers_mut().insert(X_AMZN_REQUEST_ID, request_id);
    response
}
