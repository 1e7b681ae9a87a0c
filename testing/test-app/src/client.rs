use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, header};
use axum::{Extension, Router};
use otaru_operations::PeerCertificate;
use serde_json::Value;
use tower::ServiceExt;

use crate::ports::Port;
use crate::{AccessKey, Answer, Events};

/// What separates the fields of an upload; no image holds it.
const BOUNDARY: &str = "otaru-test-boundary-7f3a";

/// Somebody who sends requests: on one port, with or without a credential.
#[derive(Clone)]
pub struct Client {
    port: Port,
    token: Option<String>,
    certificate: Option<Arc<PeerCertificate>>,
    access_key: Option<AccessKey>,
    address: Option<SocketAddr>,
    headers: Vec<(&'static str, String)>,
}

impl Client {
    pub(crate) fn new(port: Port) -> Client {
        let headers = Vec::new();
        Client { port, token: None, certificate: None, access_key: None, address: None, headers }
    }

    pub(crate) fn with_token(mut self, token: &str) -> Client {
        self.token = Some(token.to_owned());
        self
    }

    /// As over a connection that this certificate was verified on.
    pub fn with_certificate(mut self, certificate: PeerCertificate) -> Client {
        self.certificate = Some(Arc::new(certificate));
        self
    }

    /// Signs every request with this key.
    pub fn with_access_key(mut self, key: AccessKey) -> Client {
        self.access_key = Some(key);
        self
    }

    /// As over a connection from this address.
    pub fn from_address(mut self, address: IpAddr) -> Client {
        self.address = Some(SocketAddr::new(address, 40_000));
        self
    }

    /// Sends this header too.
    pub fn with_header(mut self, name: &'static str, value: &str) -> Client {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// As the browser that got this answer: with its cookie, from a page of the server.
    #[track_caller]
    pub fn signed_in(&self, answer: &Answer) -> Client {
        self.clone()
            .with_header("cookie", answer.cookie())
            .with_header("sec-fetch-site", "same-origin")
    }

    /// GET
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    /// HEAD
    pub async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, Body::empty()).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Body::from(body.to_string())).await
    }

    /// POST with a body that is sent as it is.
    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        self.send(Method::POST, path, Body::from(body.to_owned())).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Body::from(body.to_string())).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Body::from(body.to_string())).await
    }

    /// DELETE
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Body::empty()).await
    }

    /// POST of a form with files.
    pub async fn upload(&self, path: &str, fields: &[(&str, &[u8])]) -> Answer {
        let mut form = Vec::new();
        for (name, bytes) in fields {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n"
            );
            form.extend_from_slice(head.as_bytes());
            form.extend_from_slice(bytes);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let client = self.clone().with_header("content-type", &content_type);
        client.send(Method::POST, path, Body::from(form)).await
    }

    /// Opens an event stream.
    pub async fn listen(&self, path: &str) -> Events {
        let request = self.request(Method::GET, path, Body::empty());
        let response = self.port.router().oneshot(request);
        let response = response.await.expect("the router never fails");
        assert_eq!(response.status(), 200, "{path} is no stream");
        Events::new(response.into_body())
    }

    /// Any request.
    pub async fn send(&self, method: Method, path: &str, body: Body) -> Answer {
        let request = self.request(method, path, body);
        let Some(key) = &self.access_key else { return self.send_request(request).await };
        // Only a signature needs the body before it is sent: some bodies never end.
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body of bytes");
        let signed = key.sign(Request::from_parts(head, body.into()));
        self.send_request(signed.map(Body::from)).await
    }

    /// Its port, to be served with connections that all have its certificate.
    pub(crate) fn connected_router(&self) -> Router {
        let certificate = self.certificate.clone().expect("a device");
        self.port.router().layer(Extension(certificate))
    }

    /// A request as it is, with nothing of this client's but its port.
    pub async fn send_request(&self, request: Request<Body>) -> Answer {
        let response = self.port.router().oneshot(request).await;
        Answer::read(response.expect("the router never fails")).await
    }

    fn request(&self, method: Method, path: &str, body: Body) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(body).expect("a request");
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(Arc::clone(certificate));
        }
        if let Some(address) = self.address {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        request
    }
}
