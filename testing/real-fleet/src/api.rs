//! Plain HTTP requests, without the project's own client.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A server that was killed must not hold a request for long.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// One caller: a base URL and who it says it is.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What the server said.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body as JSON; null when it is not.
    pub body: Value,
}

impl Answer {
    /// Whether the server acknowledged the request.
    pub fn is_acknowledged(&self) -> bool {
        self.status.is_success()
    }
}

impl Api {
    /// A caller with a bearer token.
    pub fn with_token(base: &str, token: &str) -> Result<Api> {
        let http = reqwest::Client::builder().timeout(REQUEST_LIMIT).build()?;
        Ok(Api { http, base: base.to_owned(), token: Some(token.to_owned()) })
    }

    /// A device with the certificate in the folder that `device add` wrote.
    pub fn with_certificate(base: &str, folder: &Path) -> Result<Api> {
        let read = |name: &str| {
            std::fs::read(folder.join(name))
                .with_context(|| format!("could not read {name} of {}", folder.display()))
        };
        let mut identity = read("key.pem")?;
        identity.extend(read("cert.pem")?);
        let http = reqwest::Client::builder()
            .timeout(REQUEST_LIMIT)
            .tls_certs_only([reqwest::Certificate::from_pem(&read("ca.pem")?)?])
            .identity(reqwest::Identity::from_pem(&identity)?)
            .build()?;
        Ok(Api { http, base: base.to_owned(), token: None })
    }

    /// Reads an object.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// Sends an object.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Replaces an object.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// Reads all pages of a list.
    pub async fn items(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let answer = self.get(&format!("{path}{separator}limit=100{cursor}")).await?;
            ensure!(answer.is_acknowledged(), "could not list {path}: {answer:?}");
            items.extend(
                answer.body["items"].as_array().context("a list has items")?.iter().cloned(),
            );
            match &answer.body["next_cursor"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => return Ok(items),
            }
        }
    }

    /// Reads bytes, such as an image; any status but 200 is an error.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let response = self.request(Method::GET, path).send().await?.error_for_status()?;
        Ok(response.bytes().await?.to_vec())
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| format!("no answer for {path}"))?;
        let status = response.status();
        // The status is the acknowledgement; the server may die before the last byte of the body.
        let body = response.bytes().await.unwrap_or_default();
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}
