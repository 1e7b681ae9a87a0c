//! gRPC-Web over HTTP/1.1, taken apart by hand.

use otaru_http::Serving;
use otaru_wire::notifications::{LISTEN_UPDATES_PATH, ListenUpdatesRequest, ListenUpdatesResponse};
use prost::Message;
use reqwest::Version;

use super::client::{PATIENCE, Told, told};

/// A stream as a page's `fetch` reads it.
pub(super) struct WebUpdates {
    answer: reqwest::Response,
    unread: Vec<u8>,
}

impl WebUpdates {
    pub(super) async fn listen(
        serving: &Serving,
        token: &str,
        request: &ListenUpdatesRequest,
    ) -> WebUpdates {
        let client = reqwest::Client::builder().http1_only().build().expect("a client");
        let sent = client
            .post(format!("http://{}{LISTEN_UPDATES_PATH}", serving.address()))
            .header("content-type", "application/grpc-web+proto")
            .bearer_auth(token)
            .body(framed(&request.encode_to_vec()))
            .send();
        let answer = sent.await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_11));
        assert_eq!(answer.headers()["content-type"], "application/grpc-web+proto");
        WebUpdates { answer, unread: Vec::new() }
    }

    async fn next(&mut self) -> ListenUpdatesResponse {
        let frame = tokio::time::timeout(PATIENCE, self.frame()).await;
        let (flags, bytes) = frame.expect("a frame within the time");
        assert_eq!(flags, 0, "no trailers yet: {}", String::from_utf8_lossy(&bytes));
        ListenUpdatesResponse::decode(bytes.as_slice()).expect("a message")
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some((head, rest)) = self.unread.split_first_chunk::<5>() {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if let Some((message, rest)) = rest.split_at_checked(length) {
                    let frame = (head[0], message.to_vec());
                    self.unread = rest.to_vec();
                    return frame;
                }
            }
            let piece = self.answer.chunk().await.expect("the stream is not cut");
            self.unread.extend(piece.expect("the stream goes on"));
        }
    }

    pub(super) async fn place(&mut self) -> i64 {
        self.next().await.id.expect("a place")
    }

    pub(super) async fn told(&mut self) -> Told {
        loop {
            if let Some(told) = told(self.next().await) {
                return told;
            }
        }
    }
}

/// A message with the head gRPC puts before each.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    [&[0][..], &length.to_be_bytes(), message].concat()
}
