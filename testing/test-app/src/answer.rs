use std::fmt;

use axum::body::{Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

/// An answer, read whole; of an event stream only the head.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Answer {
        let (head, body) = response.into_parts();
        let body = match is_endless(&head.headers) {
            true => Bytes::new(),
            false => to_bytes(body, usize::MAX).await.expect("the body comes whole"),
        };
        Answer { status: head.status, headers: head.headers, body }
    }

    /// The status as a number.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// All cookies it gives, as a browser sends them back.
    pub fn cookies(&self) -> String {
        let lines = self.headers.get_all("set-cookie").into_iter();
        let pairs = lines.map(|line| line.to_str().expect("ASCII").split(';').next());
        pairs.flatten().collect::<Vec<_>>().join("; ")
    }

    /// The cookie of the session it opens, as a browser sends it back.
    #[track_caller]
    pub fn cookie(&self) -> &str {
        let pair = self.header("set-cookie").split(';').next().unwrap_or_default();
        assert!(pair.contains('='), "no cookie in {self}");
        pair
    }

    /// The cookie of that name which it sets, as a browser sends it back.
    pub fn cookie_named(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(header::SET_COOKIE).into_iter();
        let mut pairs = lines.filter_map(|line| line.to_str().ok()?.split(';').next());
        pairs.find(|pair| pair.split('=').next() == Some(name))
    }

    /// The bytes of the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// Status and code: what programs look at.
    pub fn refusal(&self) -> String {
        if self.status() == 429 {
            let again = self.header("retry-after");
            assert!(again.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{again:?}: {self}");
        }
        let code = self.json()["code"].as_str().unwrap_or("no code").to_owned();
        format!("{} {code}", self.status())
    }

    /// This answer, if it has that status.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Answer {
        assert_eq!(self.status(), status, "{self}");
        self
    }
}

fn is_endless(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    match kind.unwrap_or_default() {
        "text/event-stream" => true,
        // A refused call has its status in front, and no body.
        kind => kind.starts_with("application/grpc") && !headers.contains_key("grpc-status"),
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.status, String::from_utf8_lossy(&self.body))
    }
}
