use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde::de::DeserializeOwned;
use url::Url;

use crate::guard::{Guard, Lookup, Unresolved, machine_lookup};
use crate::{OutboundError, OutboundSettings};

/// A person waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From the name to the last byte.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Documents of identity providers have a few kilobytes; some list a hundred keys.
const MOST_BYTES: usize = 512 * 1024;

/// Calls hosts that somebody named. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    guard: Guard,
}

/// What to ask.
#[derive(Clone, Debug)]
pub enum Ask<'a> {
    /// GET.
    Get,
    /// POST of a form.
    Form(&'a [(&'a str, &'a str)]),
}

/// What a host said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status. One that redirects is an answer as any other: nobody follows it.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// Who said it.
    host: String,
}

impl Outbound {
    /// Calls within these settings.
    ///
    /// # Errors
    /// [`OutboundError::Unprepared`].
    pub fn new(settings: &OutboundSettings) -> Result<Outbound, OutboundError> {
        Outbound::with_lookup(settings, machine_lookup())
    }

    fn with_lookup(settings: &OutboundSettings, lookup: Lookup) -> Result<Outbound, OutboundError> {
        let guard = Guard::new(settings, lookup);
        let client = Client::builder()
            .user_agent(concat!("otaru/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(std::sync::Arc::new(guard.clone()))
            .redirect(Policy::none())
            // A proxy would resolve names by itself.
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(WHOLE_TIMEOUT)
            .build()
            .map_err(OutboundError::Unprepared)?;
        Ok(Outbound { client, guard })
    }

    /// Asks a host and reads its whole answer. `authorization` is the value of that header.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn ask(
        &self,
        url: &Url,
        ask: Ask<'_>,
        authorization: Option<&str>,
    ) -> Result<Answer, OutboundError> {
        self.guard.check(url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(value) = authorization {
            let value = HeaderValue::from_str(value);
            let why = "what it is to be asked with is no header";
            let refused = |_| OutboundError::Refused { url: crate::guard::shown(url), why };
            let mut value = value.map_err(refused)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let request = match ask {
            Ask::Get => self.client.get(url.clone()),
            Ask::Form(fields) => self.client.post(url.clone()).form(fields),
        };
        let response = request.headers(headers).send().await;
        let response = response.map_err(|error| unreachable(&host, error))?;
        let status = response.status().as_u16();
        let body = read(response, &host).await?;
        Ok(Answer { status, body, host })
    }

    /// Asks for a JSON document.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn get_json<T: DeserializeOwned>(&self, url: &Url) -> Result<T, OutboundError> {
        self.ask(url, Ask::Get, None).await?.json()
    }
}

impl Answer {
    /// The JSON of an answer that is no refusal.
    ///
    /// # Errors
    /// [`OutboundError::Status`], [`OutboundError::NotJson`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, OutboundError> {
        let host = || self.host.clone();
        if self.status != 200 {
            return Err(OutboundError::Status { host: host(), status: self.status });
        }
        let read = serde_json::from_slice(&self.body);
        read.map_err(|source| OutboundError::NotJson { host: host(), source })
    }
}

async fn read(response: Response, host: &str) -> Result<Bytes, OutboundError> {
    let mut body = BytesMut::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| unreachable(host, error))?;
        if body.len() + piece.len() > MOST_BYTES {
            return Err(OutboundError::TooLong { host: host.to_owned(), most: MOST_BYTES });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// The guard's own refusal is found among the causes of a connection that was not made.
fn unreachable(host: &str, error: reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(at) = cause {
        if let Some(Unresolved::Forbidden(OutboundError::Forbidden { host, address, hint })) =
            at.downcast_ref::<Unresolved>()
        {
            let (host, address) = (host.clone(), *address);
            return OutboundError::Forbidden { host, address, hint };
        }
        cause = at.source();
    }
    // Its URL may hold a code.
    OutboundError::Unreachable { host: host.to_owned(), source: error.without_url() }
}

#[cfg(test)]
mod tests;
