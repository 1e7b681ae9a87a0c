use axum::body::to_bytes;
use expect_test::{Expect, expect};

use super::*;

const TEXT: &[u8] = b"0123456789";

/// SHA-256 of `TEXT`.
const TAG: &str = "\"84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882\"";

async fn check(method: Method, request: &[(header::HeaderName, &str)], expected: Expect) {
    let request: HeaderMap = request
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let content = Content::of_bytes(TEXT.into(), "application/octet-stream", Caching::Private);
    let response = serve(content, &method, &request);
    let (head, body) = response.into_parts();
    let mut printed = format!("{}\n", head.status);
    for name in [
        header::ACCEPT_RANGES,
        header::CONTENT_RANGE,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CACHE_CONTROL,
        header::ETAG,
    ] {
        if let Some(value) = head.headers.get(&name) {
            let value = value.to_str().unwrap().replace(TAG, "\"TAG\"");
            printed += &format!("{name}: {value}\n");
        }
    }
    let body = to_bytes(body, 10_000).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap().replace(&TAG[1..TAG.len() - 1], "TAG");
    expected.assert_eq(&format!("{printed}\n{body}\n"));
}

#[tokio::test]
async fn the_whole_has_a_strong_tag_and_takes_ranges() {
    check(
        Method::GET,
        &[],
        expect![[r#"
            200 OK
            accept-ranges: bytes
            content-length: 10
            content-type: application/octet-stream
            cache-control: private, no-cache
            etag: "TAG"

            0123456789
        "#]],
    )
    .await;
}

#[tokio::test]
async fn head_says_the_same_without_the_bytes_and_ignores_ranges() {
    check(
        Method::HEAD,
        &[(header::RANGE, "bytes=2-4")],
        expect![[r#"
            200 OK
            accept-ranges: bytes
            content-length: 10
            content-type: application/octet-stream
            cache-control: private, no-cache
            etag: "TAG"


        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_range_resumes_when_the_tag_is_still_the_same() {
    let part = expect![[r#"
        206 Partial Content
        accept-ranges: bytes
        content-range: bytes 7-9/10
        content-length: 3
        content-type: application/octet-stream
        cache-control: private, no-cache
        etag: "TAG"

        789
    "#]];
    check(Method::GET, &[(header::RANGE, "bytes=7-"), (header::IF_RANGE, TAG)], part).await;
}

#[tokio::test]
async fn a_range_of_other_bytes_gets_the_whole() {
    let weak = format!("W/{TAG}");
    for stale in ["\"other\"", &weak, "Mon, 23 Nov 2026 10:00:00 GMT"] {
        let whole = expect![[r#"
            200 OK
            accept-ranges: bytes
            content-length: 10
            content-type: application/octet-stream
            cache-control: private, no-cache
            etag: "TAG"

            0123456789
        "#]];
        check(Method::GET, &[(header::RANGE, "bytes=7-"), (header::IF_RANGE, stale)], whole).await;
    }
}

#[tokio::test]
async fn a_range_past_the_end_names_the_length() {
    check(
        Method::GET,
        &[(header::RANGE, "bytes=10-")],
        expect![[r#"
            416 Range Not Satisfiable
            content-range: bytes */10
            content-type: application/problem+json
            cache-control: no-store

            {"title":"Range Not Satisfiable","status":416,"code":"range_unsatisfiable","detail":"no byte of the range lies within 10 bytes","found":"bytes=10-","expected":"a range within 0-9"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_client_that_has_the_bytes_gets_304() {
    let weak_list = format!("\"other\", W/{TAG}");
    for tags in [TAG, "*", &weak_list] {
        let not_modified = expect![[r#"
            304 Not Modified
            accept-ranges: bytes
            cache-control: private, no-cache
            etag: "TAG"


        "#]];
        let request = [(header::IF_NONE_MATCH, tags), (header::RANGE, "bytes=0-1")];
        check(Method::GET, &request, not_modified).await;
    }
}

#[tokio::test]
async fn a_client_that_insists_on_other_bytes_gets_412() {
    check(
        Method::GET,
        &[(header::IF_MATCH, "\"other\"")],
        expect![[r#"
            412 Precondition Failed
            content-type: application/problem+json
            cache-control: no-store

            {"title":"Precondition Failed","status":412,"code":"precondition_failed","detail":"the content has another entity tag than If-Match names","found":"\"TAG\"","expected":"one of If-Match"}
        "#]],
    )
    .await;
}
