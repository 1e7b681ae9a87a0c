use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use axum::http::Request;
use otaru_operations::Clock;
use serde_json::Value;

/// An access key, and how its holder signs: as AWS's SDKs do, by AWS's own signer.
#[derive(Clone)]
pub struct AccessKey {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The token of a session, which keys of this server never have.
    pub session_token: Option<String>,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// How long a URL lives that is signed in its query; signs in the header if `None`.
    pub expires: Option<Duration>,
    /// The time it signs at: the server's.
    pub clock: Clock,
}

impl AccessKey {
    /// The key of an answer to `POST /api/v1/tokens`; signs at the server's time.
    pub(crate) fn new(made: &Value, clock: Clock) -> AccessKey {
        let text = |name: &str| made[name].as_str().expect(name).to_owned();
        AccessKey {
            id: text("access_key_id"),
            secret: text("secret_access_key"),
            session_token: None,
            region: "us-east-1".to_owned(),
            service: "iotdata".to_owned(),
            expires: None,
            clock,
        }
    }

    /// Signs a request whose body is this.
    pub fn sign(&self, request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        let (id, secret) = (self.id.as_str(), self.secret.as_str());
        let token = self.session_token.clone();
        let identity = Credentials::new(id, secret, token, None, "test").into();
        let mut settings = SigningSettings::default();
        if self.expires.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = self.expires;
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(UNIX_EPOCH + Duration::from_millis(self.clock.now_ms().unsigned_abs()))
            .settings(settings)
            .build()
            .expect("all that a signer needs")
            .into();
        let mut request = request;
        let host = "127.0.0.1:8080".parse().expect("a header");
        request.headers_mut().entry("host").or_insert(host);
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().expect("a text")));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            SignableBody::Bytes(request.body()),
        );
        let (instructions, _) =
            sign(signable.expect("a request"), &params).expect("a signature").into_parts();
        let (headers, query) = instructions.into_parts();
        for header in headers {
            let value = header.value().parse().expect("a header");
            request.headers_mut().insert(header.name(), value);
        }
        if !query.is_empty() {
            let mut uri = request.uri().to_string();
            for (name, value) in query {
                uri.push(if uri.contains('?') { '&' } else { '?' });
                uri.push_str(name);
                uri.push('=');
                uri.push_str(&value.replace('/', "%2F").replace(';', "%3B"));
            }
            *request.uri_mut() = uri.parse().expect("a URI");
        }
        request
    }
}
