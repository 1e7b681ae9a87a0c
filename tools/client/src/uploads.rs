//! Images sent bit by bit, by tus 1.0.0: over cut connections and restarts of the server.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use otaru_wire::Digest;
use reqwest::{Method, RequestBuilder, Response};

use crate::{Client, ClientError};

/// Bytes handed to the connection at once, which is also how often progress is told.
const STEP_BYTES: usize = 32 * 1024;

/// Waits before the tries after a failure, in seconds: a server that restarts is back by then.
const WAITS_S: [u64; 7] = [1, 1, 2, 4, 8, 15, 30];

/// A server that asks to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

const UPLOADS: [&str; 3] = ["api", "v1", "uploads"];

type Sent = Arc<dyn Fn(u64) + Send + Sync>;

impl Client {
    /// Sends an image and answers the id of its upload; `sent` is told how much is there.
    ///
    /// Goes on where an upload of the same image ended, in this run or one before. Gives up when
    /// the server cannot be reached for about a minute.
    pub async fn upload_image(
        &self,
        image: Bytes,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<String, ClientError> {
        let sent: Sent = Arc::new(sent);
        let (mut id, mut at) = self.begin_upload(&image).await?;
        let mut tries = WAITS_S.iter();
        while at < image.len() as u64 {
            sent(at);
            let failed = match self.append_to_upload(&id, at, image.clone(), sent.clone()).await {
                Ok(reached) => {
                    at = reached;
                    continue;
                }
                Err(error) => error,
            };
            match failed.status() {
                // It was forgotten meanwhile.
                Some(404) => (id, at) = self.begin_upload(&image).await?,
                // Elsewhere, or broken off: ask how far it is.
                None | Some(400 | 408 | 409 | 429 | 500..=506 | 508..) => {
                    let Some(wait_s) = tries.next() else { return Err(failed) };
                    let asked = failed.retry_after().unwrap_or_default();
                    if asked > LONGEST_WAIT {
                        return Err(failed);
                    }
                    tokio::time::sleep(asked.max(Duration::from_secs(*wait_s))).await;
                    let before = at;
                    match self.upload_offset(&id).await {
                        Ok(reached) => at = reached,
                        Err(error) if error.status().is_none() => {}
                        Err(error) => return Err(error),
                    }
                    if at > before {
                        tries = WAITS_S.iter();
                    }
                }
                Some(status) => {
                    if status == 507 {
                        self.cancel_upload(&id).await;
                    }
                    return Err(failed);
                }
            }
        }
        sent(at);
        Ok(id)
    }

    /// Gives up an upload: what there is of it takes room that the server does not have.
    pub(crate) async fn cancel_upload(&self, id: &str) {
        // If this fails as well, the server forgets it by itself.
        let _ = self.send(self.tus(Method::DELETE, &at_id(id))).await;
    }

    /// Begins an upload, or finds the one that was begun: its id, and where to go on.
    async fn begin_upload(&self, image: &Bytes) -> Result<(String, u64), ClientError> {
        let digest = STANDARD.encode(Digest::of(image).to_string());
        let request = self
            .tus(Method::POST, &UPLOADS)
            .header("Upload-Length", image.len())
            .header("Upload-Metadata", format!("sha256 {digest}"));
        let response = self.send(request).await?;
        let location = response.headers().get(reqwest::header::LOCATION);
        let id = location.and_then(|location| location.to_str().ok()?.rsplit('/').next());
        let id = id.ok_or_else(|| self.answer("an upload without a Location"))?.to_owned();
        Ok((id, self.offset_in(&response)?))
    }

    async fn upload_offset(&self, id: &str) -> Result<u64, ClientError> {
        let response = self.send(self.tus(Method::HEAD, &at_id(id))).await?;
        self.offset_in(&response)
    }

    async fn append_to_upload(
        &self,
        id: &str,
        from: u64,
        image: Bytes,
        sent: Sent,
    ) -> Result<u64, ClientError> {
        let rest = image.slice(usize::try_from(from).unwrap_or(image.len()).min(image.len())..);
        let length = rest.len();
        let steps = futures::stream::unfold((rest, from), move |(mut rest, mut done)| {
            let step = rest.split_to(rest.len().min(STEP_BYTES));
            done += step.len() as u64;
            sent(done);
            let next = (!step.is_empty()).then_some((Ok::<_, std::io::Error>(step), (rest, done)));
            futures::future::ready(next)
        });
        let request = self
            .tus(Method::PATCH, &at_id(id))
            .header("Upload-Offset", from)
            .header("Content-Type", "application/offset+octet-stream")
            .header("Content-Length", length)
            .body(reqwest::Body::wrap_stream(steps));
        let response = self.send(request).await?;
        self.offset_in(&response)
    }

    fn tus(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.request(method, path).header("Tus-Resumable", "1.0.0")
    }

    fn offset_in(&self, response: &Response) -> Result<u64, ClientError> {
        let offset = response.headers().get("upload-offset");
        let offset = offset.and_then(|offset| offset.to_str().ok()?.parse().ok());
        offset.ok_or_else(|| self.answer("an upload without an Upload-Offset"))
    }
}

fn at_id(id: &str) -> [&str; 4] {
    [UPLOADS[0], UPLOADS[1], UPLOADS[2], id]
}
