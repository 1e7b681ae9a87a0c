//! A gRPC client as apps have one: over HTTP/2 with prior knowledge, or over TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use otaru_http::Serving;
use otaru_wire::notifications::{LISTEN_UPDATES_PATH, ListenUpdatesRequest, ListenUpdatesResponse};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::codec::Streaming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// Longer than any event takes; a test that waits for one that never comes ends here.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What every stream is compared by: id, kind and body.
pub(super) type Told = (Option<i64>, String, Value);

/// A connection in the clear.
pub(super) async fn plain(serving: &Serving) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", serving.address())).unwrap();
    endpoint.connect().await.expect("the port is open")
}

/// A connection over TLS that takes nothing but HTTP/2.
pub(super) async fn over_tls(serving: &Serving, mut config: ClientConfig) -> Channel {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (connector, address) = (TlsConnector::from(Arc::new(config)), serving.address());
    let connect = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = address.ip().into();
            let stream = connector.connect(name, stream).await?;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect_with_connector(connect).await.expect("the certificate is trusted")
}

/// An open stream.
pub(super) struct Updates(Streaming<ListenUpdatesResponse>);

/// Calls `ListenUpdates`.
pub(super) async fn listen(
    channel: &Channel,
    token: Option<&str>,
    request: ListenUpdatesRequest,
) -> Result<Updates, Status> {
    let mut request = Request::new(request);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.expect("the channel is connected");
    let path = PathAndQuery::from_static(LISTEN_UPDATES_PATH);
    let codec = ProstCodec::<ListenUpdatesRequest, ListenUpdatesResponse>::default();
    let answer = tokio::time::timeout(PATIENCE, grpc.server_streaming(request, path, codec)).await;
    answer.expect("an answer within the time").map(|answer| Updates(answer.into_inner()))
}

impl Updates {
    async fn message(&mut self) -> Result<Option<ListenUpdatesResponse>, Status> {
        tokio::time::timeout(PATIENCE, self.0.message()).await.expect("a message within the time")
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> ListenUpdatesResponse {
        self.message().await.expect("no error").expect("the stream goes on")
    }

    /// The first message: where the stream begins.
    pub(super) async fn place(&mut self) -> i64 {
        let first = self.next().await;
        assert_eq!(first.event, None, "the place comes before any event");
        first.id.expect("a place")
    }

    /// The next event; signs of life and the place are passed over.
    pub(super) async fn told(&mut self) -> Told {
        loop {
            if let Some(told) = told(self.next().await) {
                return told;
            }
        }
    }

    /// Waits until the server ends the stream, and why; whatever still comes is passed over.
    pub(super) async fn ended(&mut self) -> Status {
        loop {
            match self.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok(""),
                Err(status) => return status,
            }
        }
    }
}

/// A message's event.
pub(super) fn told(message: ListenUpdatesResponse) -> Option<Told> {
    let (kind, body) = message.event?.to_json();
    Some((message.id, kind, body))
}

/// The request of somebody who was here before.
pub(super) fn after(last_event_id: i64) -> ListenUpdatesRequest {
    ListenUpdatesRequest { last_event_id: Some(last_event_id), fleet: false }
}

/// The request of who runs the fleet.
pub(super) fn fleet() -> ListenUpdatesRequest {
    ListenUpdatesRequest { last_event_id: None, fleet: true }
}

/// Status and stable code of a refused call.
pub(super) fn refusal(status: &Status) -> String {
    let code = status.metadata().get("otaru-code").and_then(|code| code.to_str().ok());
    format!("{:?} {}", status.code(), code.unwrap_or("no code"))
}
