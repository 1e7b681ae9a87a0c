//! Whether a secret made a signature.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use http::request::Parts;
use http::{HeaderName, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::query::Query;
use crate::{Flaw, Signed};

const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

impl Signed {
    /// Whether `secret` signed exactly this request. Compares in constant time.
    ///
    /// # Errors
    /// [`Flaw::Signature`], [`Flaw::Body`], [`Flaw::SignedHeaderMissing`].
    pub fn check(&self, head: &Parts, body: &[u8], secret: &str) -> Result<(), Flaw> {
        check_body(head, body)?;
        let headers = self.signed_values(head)?;
        let made = self.sign_again(head, &headers, body, secret).ok_or(Flaw::Signature)?;
        let is_equal: bool = made.as_bytes().ct_eq(self.signature.as_bytes()).into();
        if is_equal { Ok(()) } else { Err(Flaw::Signature) }
    }

    /// The signed headers with their values, as they came.
    fn signed_values<'h>(&'h self, head: &'h Parts) -> Result<Vec<(&'h str, &'h str)>, Flaw> {
        let mut values = Vec::new();
        for name in &self.headers {
            let before = values.len();
            for value in head.headers.get_all(name) {
                let value = std::str::from_utf8(value.as_bytes());
                values.push((name.as_str(), value.map_err(|_| Flaw::SignedHeaderMissing)?));
            }
            // In HTTP/2 the host is beside the headers.
            if *name == header::HOST && values.len() == before {
                let authority = head.uri.authority().ok_or(Flaw::SignedHeaderMissing)?;
                values.push((name.as_str(), authority.as_str()));
            }
            if values.len() == before {
                return Err(Flaw::SignedHeaderMissing);
            }
        }
        Ok(values)
    }

    /// The signature of this request by `secret`; `None` when AWS's signer does not take it.
    fn sign_again(
        &self,
        head: &Parts,
        headers: &[(&str, &str)],
        body: &[u8],
        secret: &str,
    ) -> Option<String> {
        let identity = Credentials::new(&self.access_key_id, secret, None, None, "otaru").into();
        let mut settings = SigningSettings::default();
        // What is signed is what the request says, with no exceptions of the signer's own.
        settings.excluded_headers = None;
        if let Some(expires_s) = self.expires_s {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(expires_s.into()));
        }
        let at = UNIX_EPOCH + Duration::from_secs(self.at_s.unsigned_abs());
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(at)
            .settings(settings)
            .build()
            .ok()?
            .into();
        let uri = match Query::read(head.uri.query()).rest {
            rest if rest.is_empty() => head.uri.path().to_owned(),
            rest => format!("{}?{rest}", head.uri.path()),
        };
        let (method, headers) = (head.method.as_str(), headers.iter().copied());
        let request = SignableRequest::new(method, uri, headers, SignableBody::Bytes(body)).ok()?;
        Some(sign(request, &params).ok()?.signature().to_owned())
    }
}

/// A digest that the request names must be that of its body; none of AWS's words for "not
/// signed" is one.
fn check_body(head: &Parts, body: &[u8]) -> Result<(), Flaw> {
    let mut named = head.headers.get_all(X_AMZ_CONTENT_SHA256).into_iter().peekable();
    if named.peek().is_none() {
        return Ok(());
    }
    let mut digest = String::new();
    for byte in Sha256::digest(body) {
        write!(digest, "{byte:02x}").expect("a text takes it");
    }
    let fits = named.all(|value| value.as_bytes() == digest.as_bytes());
    if fits { Ok(()) } else { Err(Flaw::Body) }
}
