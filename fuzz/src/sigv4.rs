//! The decoder of signed requests: `server/sigv4`.

use http::Request;
use http::request::Parts;
use otaru_sigv4::{Flaw, Signed};

/// What the recorded requests of the corpus were signed with: AWS's own example.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Requests that mean to be signed, in the header or in the query: as in HTTP/1.1, with
/// line feeds alone.
pub(crate) fn signed_request(bytes: &[u8]) -> bool {
    let Some((head, body)) = parse(bytes) else { return false };
    let Ok(Some(signed)) = Signed::read(&head) else { return false };
    assert!(!signed.access_key_id().is_empty());
    for now_ms in [i64::MIN, 0, 1_795_645_465_000, i64::MAX] {
        let _any_answer = signed.check_time(now_ms);
    }
    let checked = signed.check(&head, body, SECRET);
    assert_eq!(signed.check(&head, body, SECRET), checked, "it says the same again");
    if checked.is_ok() {
        assert_eq!(signed.check(&head, body, "another"), Err(Flaw::Signature));
        let longer = [body, b"x"].concat();
        assert!(signed.check(&head, &longer, SECRET).is_err(), "the body is signed");
    }
    true
}

fn parse(bytes: &[u8]) -> Option<(Parts, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (&bytes[..end], &bytes[end + 2..]);
    let mut lines = head.split(|&byte| byte == b'\n');
    let mut words = lines.next()?.split(|&byte| byte == b' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    Some((request.body(()).ok()?.into_parts().0, body))
}
