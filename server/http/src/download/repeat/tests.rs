use expect_test::expect;
use proptest::prelude::*;

use super::*;

const GET: &str = "GET /firmware/clock/1.0.5.bin HTTP/1.1\r\nHost: otaru\r\n";

const HEAD: &str = "HTTP/1.1 206 Partial Content\r\netag: \"a\"\r\n\
    content-range: bytes 0-9/50000\r\ncontent-length: 10\r\nx-request-id: b\r\n\
    date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n";

fn request(rest: &str) -> Vec<u8> {
    format!("{GET}{rest}\r\n").into_bytes()
}

/// What comes after a request and an answer to it.
fn after(request: &[u8], head: &str) -> Option<Exchange> {
    let mut repeats = Repeats::new(LastDownload::default());
    assert!(repeats.read(request).is_none(), "the first is for HTTP");
    let whole = [head.as_bytes(), b"0123456789"].concat();
    repeats.written(&[IoSlice::new(head.as_bytes()), IoSlice::new(b"0123456789")], whole.len() - 4);
    assert!(!matches!(repeats.state, State::Idle(_)), "four bytes are still to come");
    repeats.written(&[IoSlice::new(b"6789")], 4);
    match repeats.state {
        State::Idle(exchange) => exchange,
        _ => None,
    }
}

fn exchange() -> Exchange {
    after(&request("Range: bytes=0-9\r\nIf-Range: \"a\"\r\n"), HEAD).expect("a simple one")
}

#[test]
fn another_range_is_answered_in_the_words_of_the_first() {
    let wanted = request("Range: bytes=10-29\r\nIf-Range: \"a\"\r\n");
    let range = exchange().wanted(&wanted).unwrap();
    assert_eq!(range, 10..30);
    let head = String::from_utf8(exchange().head_for(&range, 50_000)).unwrap();
    let (same, id) = head.split_once("x-request-id: ").unwrap();
    expect![[r#"
        HTTP/1.1 206 Partial Content
        etag: "a"
        date: Mon, 23 Nov 2026 12:00:00 GMT
        content-range: bytes 10-29/50000
        content-length: 20
    "#]]
    .assert_eq(&same.replace("\r\n", "\n"));
    assert_eq!(id.len(), 36 + 4, "{id}");
}

#[test]
fn another_request_is_for_http() {
    for rest in [
        "Range: bytes=10-29\r\nIf-Range: \"b\"\r\n",
        "Range: bytes=10-29\r\n",
        "Range: bytes=10-29\r\nIf-Range: \"a\"\r\nConnection: close\r\n",
        "Range: bytes=10-\r\nIf-Range: \"a\"\r\n",
        "Range: bytes=-10\r\nIf-Range: \"a\"\r\n",
        "Range: bytes=29-10\r\nIf-Range: \"a\"\r\n",
        "Range: bytes=1-2,4-5\r\nIf-Range: \"a\"\r\n",
        "Range: bytes=+1-2\r\nIf-Range: \"a\"\r\n",
        "Range: bytes=0-18446744073709551615\r\nIf-Range: \"a\"\r\n",
        "Range: bytes=0-32768\r\nIf-Range: \"a\"\r\n",
        "Range: bytes=1-2\r\nIf-Range: \"a\"\r\n\r\nGET / HTTP/1.1\r\n",
        "",
    ] {
        assert_eq!(exchange().wanted(&request(rest)), None, "{rest}");
    }
    assert_eq!(exchange().wanted(b""), None);
    assert_eq!(exchange().wanted(GET.as_bytes()), None, "the beginning of one");
}

#[test]
fn only_a_simple_request_is_followed() {
    for text in [
        request("Range: bytes=0-\r\n"),
        request("Range: bytes=0-9\r\nRange: bytes=0-9\r\n"),
        request("Range: bytes=0-9\r\nContent-Length: 1\r\n"),
        request("Range: bytes=0-9\r\nTransfer-Encoding: chunked\r\n"),
        request("X-Other: a\nContent-Length: 9\r\nRange: bytes=0-9\r\n"),
        request("Range: bytes=0-9\n\nGET /other HTTP/1.1\r\nRange: bytes=0-9\r\n"),
        request("Range: bytes=0-9\r\nExpect: 100-continue\r\n"),
        request("Range: bytes=0-9\r\nno colon\r\n"),
        request(""),
        b"GET / HTTP/1.0\r\nRange: bytes=0-9\r\n\r\n".to_vec(),
        b"HEAD / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        [request("Range: bytes=0-9\r\n"), b"G".to_vec()].concat(),
        request(&format!("Range: bytes=0-9\r\nX: {}\r\n", "x".repeat(MOST_REQUEST_BYTES))),
    ] {
        assert!(after(&text, HEAD).is_none(), "{}", String::from_utf8_lossy(&text));
    }
}

/// A device fetches its manifest and what else it needs on the connection of the ranges.
#[test]
fn ranges_go_on_behind_other_requests() {
    let mut repeats = Repeats::new(LastDownload::default());
    let whole = HEAD.replace("206 Partial Content", "200 OK");
    let refused = HEAD.replace("206 Partial Content", "404 Not Found");
    for (rest, head) in
        [("", &whole), ("Range: bytes=0-\r\n", &whole), ("Range: bytes=0-9\r\n", &refused)]
    {
        assert!(repeats.read(&request(rest)).is_none());
        repeats.written(
            &[IoSlice::new(head.as_bytes()), IoSlice::new(b"0123456789")],
            head.len() + 10,
        );
        assert!(matches!(repeats.state, State::Idle(None)), "{rest}");
    }
    assert!(repeats.read(&request("Range: bytes=0-9\r\n")).is_none());
    repeats.written(&[IoSlice::new(HEAD.as_bytes()), IoSlice::new(b"0123456789")], HEAD.len() + 10);
    assert!(matches!(repeats.state, State::Idle(Some(_))));
}

#[test]
fn answer_that_has_no_body_ends_it() {
    for status in ["304 Not Modified", "204 No Content", "100 Continue"] {
        let mut repeats = Repeats::new(LastDownload::default());
        assert!(repeats.read(&request("")).is_none());
        let head = HEAD.replace("206 Partial Content", status);
        repeats.written(&[IoSlice::new(head.as_bytes())], head.len());
        assert!(matches!(repeats.state, State::Lost), "{status}");
    }
}

#[test]
fn a_request_that_comes_in_parts_is_followed() {
    let whole = request("Range: bytes=0-9\r\n");
    for cut in 1..whole.len() {
        let mut repeats = Repeats::new(LastDownload::default());
        for part in [&whole[..cut], &whole[cut..]] {
            assert!(matches!(repeats.state, State::Idle(_) | State::Reading(_)));
            assert!(repeats.read(part).is_none());
        }
        assert!(matches!(repeats.state, State::Asked(_)), "cut at {cut}");
    }
}

#[test]
fn only_a_simple_answer_is_repeated() {
    let simple = request("Range: bytes=0-9\r\n");
    for head in [
        HEAD.replace("206 Partial Content", "200 OK"),
        HEAD.replace("content-length: 10\r\n", "transfer-encoding: chunked\r\n"),
        HEAD.replace("etag: \"a\"", "connection: close"),
        HEAD.replace("content-length: 10\r\n", ""),
        HEAD.replace("content-length: 10", "content-length: 9"),
    ] {
        assert!(after(&simple, &head).is_none(), "{head}");
    }
}

#[test]
fn a_request_before_the_answer_is_over_is_for_http_and_so_is_all_after_it() {
    let simple = request("Range: bytes=0-9\r\n");
    let mut repeats = Repeats::new(LastDownload::default());
    repeats.read(&simple);
    repeats.read(&simple);
    repeats.written(&[IoSlice::new(HEAD.as_bytes())], HEAD.len());
    repeats.written(&[IoSlice::new(b"0123456789")], 10);
    assert!(matches!(repeats.state, State::Lost));
}

proptest! {
    #[test]
    fn whatever_is_followed_is_one_request_and_its_numbers_are_of_its_one_range(
        rest in "((Range: bytes=[0-9]{1,3}-[0-9]{0,3}|[a-z]{1,5}: [a-z ]{0,5}|)\r?\n){0,4}",
        tail in "(\r\n)?[a-z]?",
    ) {
        let text = format!("{GET}{rest}{tail}");
        if let Some(Asked { request, numbers }) = Asked::read(text.clone().into_bytes()) {
            prop_assert_eq!(text.matches("\r\n\r\n").count(), 1);
            prop_assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
            if let Some(numbers) = numbers {
                prop_assert_eq!(text.matches("Range: ").count(), 1);
                prop_assert!(range(&request[numbers]).is_some());
            }
        }
    }
}
