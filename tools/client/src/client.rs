use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, RequestBuilder, Response, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ClientError, Problem};

/// A server that takes longer to accept a connection is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest silence within an answer. Not a limit of the whole: an image takes its time, and
/// streams send a sign of life every 15 seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the server is and who asks.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    /// Base URL, such as `http://127.0.0.1:8080`.
    pub server: String,
    /// The bearer token, if there is one.
    pub token: Option<String>,
    /// The certificate authority of a server that no public one vouches for, PEM. With it,
    /// the machine's own list is not used.
    pub ca_pem: Option<Vec<u8>>,
}

/// A server's API. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// Checks the options; connects to nothing yet.
    pub fn new(options: &ClientOptions) -> Result<Client, ClientError> {
        let base = base_url(&options.server)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = &options.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| ClientError::Setup("the token holds a control character".into()))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("otaru/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // The API never redirects, and a token follows no redirect.
            .redirect(redirect::Policy::none());
        if let Some(pem) = &options.ca_pem {
            let roots = Certificate::from_pem_bundle(pem)
                .map_err(|error| ClientError::Setup(format!("not a CA certificate: {error}")))?;
            builder = builder.tls_certs_only(roots);
        } else if base.scheme() == "http" {
            // Without TLS a machine without certificates must work too.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .build()
            .map_err(|error| ClientError::Setup(format!("could not set up HTTPS: {error}")))?;
        Ok(Client { http, base })
    }

    /// The server's base URL.
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Scheme, host and port of the server, as browsers write them.
    pub(crate) fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// A request to a path of which each segment is escaped.
    pub(crate) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        self.http.request(method, url)
    }

    /// Sends a request and turns everything but a 2xx into an error.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|source| self.unreachable(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = response.headers().get(reqwest::header::RETRY_AFTER);
        let retry_after_s = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = response.bytes().await.unwrap_or_default();
        let problem = Problem { retry_after_s, ..Problem::read(status, &body) };
        Err(ClientError::Refused(problem.into()))
    }

    /// Sends a request and reads the answer's JSON.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        let body = response.bytes().await.map_err(|source| self.unreachable(source))?;
        serde_json::from_slice(&body).map_err(|error| self.answer(error))
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        self.read(self.request(Method::GET, segments).query(query)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.read(self.request(Method::POST, segments).json(body)).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.read(self.request(Method::PUT, segments).json(body)).await
    }

    pub(crate) async fn delete(&self, segments: &[&str]) -> Result<(), ClientError> {
        self.send(self.request(Method::DELETE, segments)).await.map(drop)
    }

    pub(crate) fn unreachable(&self, source: reqwest::Error) -> ClientError {
        ClientError::Unreachable { server: self.server().to_owned(), source: source.without_url() }
    }

    pub(crate) fn answer(&self, detail: impl ToString) -> ClientError {
        ClientError::Answer { server: self.server().to_owned(), detail: detail.to_string() }
    }
}

fn base_url(text: &str) -> Result<Url, ClientError> {
    let wrong = |why: &str| ClientError::Setup(format!("server {text:?} {why}"));
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("is not an http:// or https:// URL"));
    }
    if url.query().is_some() || url.fragment().is_some() || url.password().is_some() {
        return Err(wrong("must be a plain URL without query, fragment or password"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn url_of(server: &str, segments: &[&str]) -> String {
        let options = ClientOptions { server: server.to_owned(), ..ClientOptions::default() };
        let client = Client::new(&options).unwrap();
        client.request(Method::GET, segments).build().unwrap().url().to_string()
    }

    #[test]
    fn paths_are_joined_and_escaped() {
        let path = ["api", "v1", "devices", "a/b c", "update"];
        assert_eq!(
            url_of("http://127.0.0.1:8080", &path),
            "http://127.0.0.1:8080/api/v1/devices/a%2Fb%20c/update"
        );
        assert_eq!(url_of("https://o.example/ota/", &["readyz"]), "https://o.example/ota/readyz");
    }

    /// What the client makes of an answer with this head.
    async fn refused_with(head: &str) -> ClientError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(connection.read_u8().await.unwrap());
            }
            connection.write_all(answer.as_bytes()).await.unwrap();
        });
        let client = Client::new(&ClientOptions { server, ..ClientOptions::default() }).unwrap();
        client.send(client.request(Method::GET, &["readyz"])).await.unwrap_err()
    }

    #[tokio::test]
    async fn what_may_pass_says_when_to_come_again() {
        let busy = refused_with("503 Service Unavailable\r\nretry-after: 7").await;
        assert_eq!((busy.retry_after(), busy.may_pass()), (Some(Duration::from_secs(7)), true));
        let throttled = refused_with("429 Too Many Requests\r\nretry-after: 900").await;
        let in_900_s = Some(Duration::from_secs(900));
        assert_eq!((throttled.retry_after(), throttled.may_pass()), (in_900_s, true));
        let date = refused_with("503 No\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT").await;
        assert_eq!((date.retry_after(), date.may_pass()), (None, true));
        let refused = refused_with("403 Forbidden").await;
        assert_eq!((refused.retry_after(), refused.may_pass()), (None, false));
    }

    #[test]
    fn servers_that_are_no_base_url_are_refused() {
        for server in ["", "localhost:8080", "ftp://x", "http://x/?a=b", "http://u:p@x/"] {
            let options = ClientOptions { server: server.to_owned(), ..ClientOptions::default() };
            assert!(matches!(Client::new(&options), Err(ClientError::Setup(_))), "{server}");
        }
    }
}
