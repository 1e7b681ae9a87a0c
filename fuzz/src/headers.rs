//! Headers of HTTP: `server/http`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request, header};
use otaru_http::headers::{Selected, select, session_secrets, sha256_of_metadata};

/// Contents that a range may be asked of.
const LENGTHS: [u64; 4] = [0, 1, 1_500_000, u64::MAX];

/// What `Range` asks of contents of some lengths; taken if it is understood of one of them.
pub(crate) fn range(bytes: &[u8]) -> bool {
    let Ok(asked) = HeaderValue::from_bytes(bytes) else { return false };
    let mut is_understood = false;
    for length in LENGTHS {
        let Selected::Part(part) = select(&asked, length) else { continue };
        let range = part.half_open();
        assert!(range.start < range.end && range.end <= length, "{range:?} of {length}");
        assert_eq!(range.end - range.start, part.len_bytes());
        let content_range = part.content_range(length);
        let (written, _) = content_range.split_once('/').expect("a length");
        let again = HeaderValue::try_from(written.replace(' ', "=")).expect("ASCII");
        assert_eq!(select(&again, length), Selected::Part(part), "{content_range}");
        is_understood = true;
    }
    is_understood
}

/// The sessions that the lines of `Cookie` name, to a host that is reached through TLS and to one
/// that is not.
pub(crate) fn cookies(bytes: &[u8]) -> bool {
    let mut is_named = false;
    for host in ["ota.example", "localhost"] {
        let mut request = Request::builder().header(header::HOST, host);
        for line in bytes.split(|&byte| byte == b'\n') {
            request = request.header(header::COOKIE, line);
        }
        let Ok(request) = request.body(()) else { return false };
        let parts = request.into_parts().0;
        let secrets = session_secrets(&parts);
        let most = if host == "localhost" { 2 } else { 1 };
        assert!(secrets.len() <= most, "{host}: {secrets:?}");
        for secret in &secrets {
            assert!(!secret.contains(';') && secret.trim_end() == *secret, "{secret:?}");
        }
        is_named |= !secrets.is_empty();
    }
    is_named
}

/// What `Upload-Metadata` says of an image.
pub(crate) fn upload_metadata(bytes: &[u8]) -> bool {
    let Ok(pairs) = std::str::from_utf8(bytes) else { return false };
    let Ok(Some(sha256)) = sha256_of_metadata(pairs) else { return false };
    let again = format!("name eA==,sha256 {}", STANDARD.encode(sha256.to_string()));
    assert_eq!(sha256_of_metadata(&again), Ok(Some(sha256)));
    true
}
