//! HTTPS to the server: our authority only, the device's certificate, one redirect.
//!
//! Where a redirect leads to, the system's authorities count as well, and no certificate is shown.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use otaru_agent::Fault;
use otaru_wire::Reason;
use reqwest::header::{HeaderMap, IF_RANGE, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tokio::time::Instant;

use crate::tls::{self, DeviceTls};
use crate::{Identity, SimOptions};

/// DNS, TCP and TLS together.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// A body slower than this for the rate window is as good as none.
const RATE_MIN_BYTES_PER_S: u64 = 256;

/// The server's download side, as one device sees it.
#[derive(Clone, Debug)]
pub(crate) struct Https {
    own: Client,
    /// Made at the first redirect: few servers send one.
    elsewhere: Arc<OnceLock<Client>>,
    identity: Arc<Identity>,
    stall_limit: Duration,
    rate_window: Duration,
    document_limit: Duration,
}

/// An answer whose body is still coming.
pub(crate) struct Incoming {
    response: Response,
    stall_limit: Duration,
    rate_window: Duration,
    window_began: Instant,
    window_bytes: u64,
}

/// A client that follows no redirects.
pub(crate) fn client(config: rustls::ClientConfig) -> Result<Client, Reason> {
    Client::builder()
        .tls_backend_preconfigured(config)
        .https_only(true)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .build()
        .map_err(|_| Reason::Internal)
}

/// A path below the server's URL.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

impl Https {
    /// Reads the certificates anew, so that files put right are noticed.
    pub(crate) fn new(identity: &Identity, options: &SimOptions) -> Result<Https, Reason> {
        let tls = DeviceTls::current(identity, SystemTime::now())?;
        Ok(Https {
            own: client(tls.own.as_ref().clone())?,
            elsewhere: Arc::default(),
            identity: Arc::new(identity.clone()),
            stall_limit: options.stall_limit,
            rate_window: options.rate_window,
            document_limit: options.document_limit,
        })
    }

    /// Asks for a path below the server's URL, and a query behind its `?` if it has one. `down`
    /// is the reason a dead link has here.
    pub(crate) async fn get(
        &self,
        path: &str,
        mut headers: HeaderMap,
        down: Reason,
    ) -> Result<Incoming, Fault> {
        let (path, query) =
            path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = below(&self.identity.device_url, path);
        url.set_query(query);
        let answer = self.send(&self.own, url.clone(), headers.clone(), down).await?;
        if !answer.status().is_redirection() || answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(self.incoming(answer));
        }
        let location = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let to = location.and_then(|to| url.join(to).ok()).filter(|to| to.scheme() == "https");
        let to = to.ok_or(Reason::ServerError)?;
        // Whoever has the file there has tags of its own, and would send the whole anew.
        headers.remove(IF_RANGE);
        let answer = self.send(self.elsewhere()?, to, headers, down).await?;
        match answer.status().is_redirection() {
            true => Err(Reason::ServerError.into()),
            false => Ok(self.incoming(answer)),
        }
    }

    fn elsewhere(&self) -> Result<&Client, Reason> {
        if let Some(client) = self.elsewhere.get() {
            return Ok(client);
        }
        let made = client(tls::elsewhere(&self.identity, SystemTime::now())?)?;
        Ok(self.elsewhere.get_or_init(|| made))
    }

    fn incoming(&self, response: Response) -> Incoming {
        Incoming {
            response,
            stall_limit: self.stall_limit,
            rate_window: self.rate_window,
            window_began: Instant::now(),
            window_bytes: 0,
        }
    }

    /// Fetches a small document; `None` when there is none.
    pub(crate) async fn document(
        &self,
        path: &str,
        bytes_max: usize,
        down: Reason,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let whole = tokio::time::timeout(self.document_limit, self.whole(path, bytes_max, down));
        whole.await.unwrap_or(Err(Reason::DownloadStalled.into()))
    }

    async fn whole(
        &self,
        path: &str,
        bytes_max: usize,
        down: Reason,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let mut answer = self.get(path, HeaderMap::new(), down).await?;
        match answer.head().status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => return Err(refused(status, answer.head())),
        }
        let mut document = Vec::new();
        while let Some(part) = answer.part(down).await? {
            if document.len() + part.len() > bytes_max {
                return Err(Reason::TooManyBytes.into());
            }
            document.extend_from_slice(&part);
        }
        Ok(Some(document))
    }

    async fn send(
        &self,
        client: &Client,
        url: Url,
        headers: HeaderMap,
        down: Reason,
    ) -> Result<Response, Fault> {
        let request = client.get(url).headers(headers).send();
        match tokio::time::timeout(CONNECT_LIMIT + self.stall_limit, request).await {
            Err(_) => Err(Reason::DownloadStalled.into()),
            Ok(Err(error)) => Err(fault_of(&error, down)),
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}

impl Incoming {
    /// Status and headers.
    pub(crate) fn head(&self) -> &Response {
        &self.response
    }

    /// The next part of the body; a silent link is a stalled one, and so is one that trickles.
    pub(crate) async fn part(&mut self, down: Reason) -> Result<Option<Vec<u8>>, Fault> {
        let part = match tokio::time::timeout(self.stall_limit, self.response.chunk()).await {
            Err(_) => return Err(Reason::DownloadStalled.into()),
            Ok(Err(error)) => return Err(fault_of(&error, down)),
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(part))) => part.to_vec(),
        };
        self.window_bytes += part.len() as u64;
        if self.window_began.elapsed() >= self.rate_window {
            if self.window_bytes < RATE_MIN_BYTES_PER_S * self.rate_window.as_secs() {
                return Err(Reason::DownloadStalled.into());
            }
            (self.window_began, self.window_bytes) = (Instant::now(), 0);
        }
        Ok(Some(part))
    }
}

fn fault_of(error: &reqwest::Error, down: Reason) -> Fault {
    tracing::debug!(error = error as &dyn std::error::Error, "Request failed");
    tls::reason_in(error).unwrap_or(down).into()
}

/// What a status without the content asked for means.
fn refused(status: u16, answer: &Response) -> Fault {
    let asked = otaru_agent::Asked { offset: 0, total: 0 };
    let head = otaru_agent::Answer {
        status,
        retry_after_s: retry_after_s(answer),
        ..otaru_agent::Answer::default()
    };
    match otaru_agent::judge(asked, head) {
        otaru_agent::Verdict::Fail(fault) => fault,
        _ => Reason::ServerError.into(),
    }
}

/// `Retry-After` in seconds; a date counts as none.
pub(crate) fn retry_after_s(answer: &Response) -> Option<u64> {
    answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}
