//! As much of S3 as storing and reading single objects takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

#[derive(Default)]
struct Bucket {
    objects: HashMap<String, Bytes>,
    names_seen: Vec<String>,
}

type Shared = Arc<Mutex<Bucket>>;

pub(crate) struct Server {
    endpoint: String,
    bucket: Shared,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let bucket = Shared::default();
        let router = Router::new().fallback(answer).with_state(bucket.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { endpoint, bucket }
    }

    pub(crate) fn options(&self) -> Vec<(String, String)> {
        let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        vec![
            option("AWS_ENDPOINT", &self.endpoint),
            option("AWS_ALLOW_HTTP", "true"),
            option("AWS_REGION", "local"),
            option("AWS_ACCESS_KEY_ID", "key"),
            option("AWS_SECRET_ACCESS_KEY", "secret"),
        ]
    }

    pub(crate) fn names_seen(&self) -> Vec<String> {
        self.bucket.lock().expect("not poisoned").names_seen.clone()
    }
}

async fn answer(
    State(bucket): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut bucket = bucket.lock().expect("not poisoned");
    let name = uri.path().to_owned();
    bucket.names_seen.push(name.clone());
    let signed = headers.contains_key(header::AUTHORIZATION);
    let tags = [(header::ETAG, "\"1\""), (header::LAST_MODIFIED, "Mon, 23 Nov 2026 10:00:00 GMT")];
    match (method.as_str(), bucket.objects.get(&name)) {
        _ if !signed => StatusCode::FORBIDDEN.into_response(),
        ("PUT", _) => {
            bucket.objects.insert(name, body);
            tags.into_response()
        }
        ("DELETE", _) => {
            bucket.objects.remove(&name);
            StatusCode::NO_CONTENT.into_response()
        }
        // Deleting goes through the bulk request, whose body names the keys.
        ("POST", _) => {
            let body = String::from_utf8(body.to_vec()).expect("XML");
            let key = body.split_once("<Key>").and_then(|(_, rest)| rest.split_once("</Key>"));
            let (key, _) = key.expect("a key");
            bucket.objects.remove(&format!("/bucket/{key}"));
            format!("<DeleteResult><Deleted><Key>{key}</Key></Deleted></DeleteResult>")
                .into_response()
        }
        ("GET", None) if uri.query().is_some_and(|query| query.contains("list-type=2")) => {
            list(&bucket, uri.query().unwrap_or_default()).into_response()
        }
        ("GET" | "HEAD", None) => StatusCode::NOT_FOUND.into_response(),
        ("GET" | "HEAD", Some(object)) => read(object, headers.get(header::RANGE), tags),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// What is stored under the prefix that a query names.
fn list(bucket: &Bucket, query: &str) -> String {
    let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = format!("/bucket/{}", prefix.unwrap_or_default().replace("%2F", "/"));
    let mut found = String::new();
    for (name, object) in bucket.objects.iter().filter(|(name, _)| name.starts_with(&prefix)) {
        let key = name.trim_start_matches("/bucket/");
        found += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-23T10:00:00.000Z</LastModified>\
             <ETag>\"1\"</ETag><Size>{}</Size></Contents>",
            object.len()
        );
    }
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>")
}

fn read(
    object: &Bytes,
    range: Option<&axum::http::HeaderValue>,
    tags: [(header::HeaderName, &str); 2],
) -> Response {
    let Some(range) = range else { return (tags, object.clone()).into_response() };
    let text = range.to_str().expect("ASCII").strip_prefix("bytes=").expect("bytes");
    let (first, last) = text.split_once('-').expect("a range");
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let content_range = format!("bytes {first}-{last}/{}", object.len());
    let part = object.slice(first..=last);
    (StatusCode::PARTIAL_CONTENT, tags, [(header::CONTENT_RANGE, content_range)], part)
        .into_response()
}
