//! Why a request was refused, in AWS IoT's codes and texts.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use otaru_wire::ShadowId;
use serde::Serialize;

/// A refused request. A refused update has changed nothing.
///
/// Clients compare the texts, so they are AWS's to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The HTTP status, and `code` of the MQTT error document.
    pub code: u16,
    /// The reason, for people and for clients that compare it.
    pub message: String,
    /// The request's token, where it could be read.
    #[serde(rename = "clientToken", skip_serializing_if = "Option::is_none")]
    pub client_token: Option<String>,
}

impl Rejection {
    fn new(code: u16, message: &str) -> Rejection {
        Rejection { code, message: message.to_owned(), client_token: None }
    }

    /// 400 with a text of the caller: a name or a query that is not one.
    pub fn invalid_request(message: &str) -> Rejection {
        Rejection::new(400, message)
    }

    pub(crate) fn invalid_json() -> Rejection {
        Rejection::new(400, "Invalid JSON")
    }

    pub(crate) fn invalid_token() -> Rejection {
        Rejection::new(400, "Invalid clientToken")
    }

    pub(crate) fn invalid_version() -> Rejection {
        Rejection::new(400, "Invalid version")
    }

    pub(crate) fn state_missing() -> Rejection {
        Rejection::new(400, "Missing required node: state")
    }

    /// `node` is `State`, `Desired` or `Reported`.
    pub(crate) fn not_an_object(node: &str) -> Rejection {
        Rejection { message: format!("{node} node must be an object"), ..Rejection::new(400, "") }
    }

    pub(crate) fn null_in_array(text: &str) -> Rejection {
        Rejection::new(400, text)
    }

    pub(crate) fn name_too_long(what: &str, most: usize, found: usize) -> Rejection {
        let message = format!("The {what} may have {most} bytes, found {found}");
        Rejection { message, ..Rejection::new(400, "") }
    }

    pub(crate) fn unnamed_node() -> Rejection {
        Rejection::new(400, "State contains an invalid node")
    }

    pub(crate) fn unknown_node(key: &str) -> Rejection {
        /// How much of a key, in characters, is sent back.
        const SHOWN_MAX: usize = 64;
        let shown: String = key.chars().take(SHOWN_MAX).collect();
        let message = format!("State contains an invalid node: '{shown}'");
        Rejection { message, ..Rejection::new(400, "") }
    }

    /// The text says 6 whatever the limit is, as AWS's does.
    pub(crate) fn too_deep() -> Rejection {
        Rejection::new(400, "JSON contains too many levels of nesting; maximum is 6")
    }

    /// 401: nobody proved who asks.
    pub fn unauthorized() -> Rejection {
        Rejection::new(401, "Unauthorized")
    }

    /// 403: who asks may not.
    pub fn forbidden() -> Rejection {
        Rejection::new(403, "Forbidden")
    }

    /// 404: the shadow was never made, or was deleted.
    pub fn not_found(shadow: &ShadowId) -> Rejection {
        let message = format!("No shadow exists with name: '{shadow}'");
        Rejection { message, ..Rejection::new(404, "") }
    }

    /// 405, over HTTP only: the path does not know the verb.
    pub fn method_not_allowed() -> Rejection {
        Rejection::new(405, "Method Not Allowed")
    }

    /// 400: the thing has as many named shadows as it may, deleted ones included.
    pub fn too_many_shadows(most: u32) -> Rejection {
        let message = format!("A thing has at most {most} named shadows");
        Rejection { message, ..Rejection::new(400, "") }
    }

    /// 409: the request named another version than the current one.
    pub fn version_conflict() -> Rejection {
        Rejection::new(409, "Version conflict")
    }

    /// 413: the request, or the document it would make, is too large.
    pub fn too_large() -> Rejection {
        Rejection::new(413, "The payload exceeds the maximum size allowed")
    }

    /// 415: not UTF-8. The odd spelling is AWS's.
    pub fn unsupported_encoding() -> Rejection {
        Rejection::new(415, "Unsupported documented encoding; supported encoding is UTF-8")
    }

    /// 429: too many requests in flight, or too fast.
    pub fn too_many_requests(text: &str) -> Rejection {
        Rejection::new(429, text)
    }

    /// 500: the service failed; its log says why.
    pub fn internal() -> Rejection {
        Rejection::new(500, "Internal service failure")
    }

    /// 503, over HTTP only: not now.
    pub fn service_unavailable() -> Rejection {
        Rejection::new(503, "Service Unavailable")
    }

    /// The rejection with the token of the request it answers.
    pub fn with_token(self, client_token: Option<&str>) -> Rejection {
        Rejection { client_token: client_token.map(ToOwned::to_owned), ..self }
    }

    /// The HTTP header `x-amzn-ErrorType`, without which boto3 knows no exception.
    pub fn error_type(&self) -> &'static str {
        match self.code {
            401 => "UnauthorizedException",
            403 => "ForbiddenException",
            404 => "ResourceNotFoundException",
            405 => "MethodNotAllowedException",
            409 => "ConflictException",
            413 => "RequestEntityTooLargeException",
            415 => "UnsupportedDocumentEncodingException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            500.. => "InternalFailureException",
            _ => "InvalidRequestException",
        }
    }

    /// The MQTT error document. Not for HTTP bodies: a number in `code` breaks clients there.
    pub fn to_mqtt(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a number and strings always serialize")
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl core::error::Error for Rejection {}
