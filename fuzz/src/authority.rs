//! The decoder of certificate requests: `server/authority`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_authority::{CertificateRequest, RequestError};

/// Requests, which anybody may send who can reach the devices' port: the bytes inside of PEM.
pub(crate) fn certificate_request(bytes: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _any_answer = CertificateRequest::parse(text);
    }
    let body = STANDARD.encode(bytes);
    let label = "CERTIFICATE REQUEST";
    let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    match CertificateRequest::parse(&pem) {
        Ok(request) => {
            assert_eq!(request.key_digest().len(), 64);
            let longer = [bytes, b"\0"].concat();
            let longer = pem.replace(&body, &STANDARD.encode(longer));
            let refused = CertificateRequest::parse(&longer).expect_err("nothing may follow");
            assert_eq!(refused, RequestError::Malformed);
            true
        }
        Err(_) => false,
    }
}
