use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use serde_json::Value;

use super::*;

/// A server of this machine; returns its port.
async fn serve(router: Router) -> u16 {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn allowing(hosts: &[&str]) -> OutboundSettings {
    OutboundSettings { private_hosts: hosts.iter().map(|host| (*host).to_owned()).collect() }
}

fn url(text: String) -> Url {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_document_of_this_machine_is_read_where_that_is_allowed() {
    let port = serve(Router::new().route("/", get(async || r#"{"a":1}"#))).await;
    let here = url(format!("http://127.0.0.1:{port}/"));
    let outbound = Outbound::new(&allowing(&["127.0.0.1"])).unwrap();
    let read: Value = outbound.get_json(&here).await.unwrap();
    assert_eq!(read, serde_json::json!({ "a": 1 }));
    let strict = Outbound::new(&allowing(&[])).unwrap();
    let refused = strict.get_json::<Value>(&here).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Refused { .. }), "{refused}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let router = Router::new().route("/", get(async || Redirect::temporary("/inside"))).route(
        "/inside",
        get(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            r#"{"secret":1}"#
        }),
    );
    let port = serve(router).await;
    let outbound = Outbound::new(&allowing(&["127.0.0.1"])).unwrap();
    let read = outbound.get_json::<Value>(&url(format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(read, Err(OutboundError::Status { status: 307, .. })));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_without_an_end_is_left() {
    let endless = axum::body::Bytes::from(vec![b' '; 64 * 1024]);
    let body = move || {
        let pieces = futures::stream::repeat(Ok::<_, std::convert::Infallible>(endless.clone()));
        axum::body::Body::from_stream(pieces)
    };
    let port = serve(Router::new().route("/", get(async move || body()))).await;
    let outbound = Outbound::new(&allowing(&["127.0.0.1"])).unwrap();
    let read = outbound.get_json::<Value>(&url(format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(read, Err(OutboundError::TooLong { .. })));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once_and_refused_when_it_lies_inside() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        // An address of the public internet that nobody answers at would cost the timeout:
        // the first answer is inside already.
        let address: IpAddr = if first { [10, 0, 0, 1].into() } else { [8, 8, 8, 8].into() };
        Box::pin(async move { Ok(vec![address]) })
    });
    let outbound = Outbound::with_lookup(&allowing(&[]), lookup).unwrap();
    let read = outbound.get_json::<Value>(&url("https://rebinding.example/".to_owned())).await;
    let Err(OutboundError::Forbidden { host, address, .. }) = read else { panic!("{read:?}") };
    assert_eq!((host.as_str(), address), ("rebinding.example", IpAddr::from([10, 0, 0, 1])));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_connection_is_made_to_the_address_that_was_checked() {
    let port = serve(Router::new().route("/", get(async || r#"{"here":true}"#))).await;
    let lookup: Lookup =
        Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from(Ipv4Addr::LOCALHOST)]) }));
    // `localhost` stands for what the lookup says, not for what the machine would say.
    let outbound = Outbound::with_lookup(&allowing(&["localhost"]), lookup).unwrap();
    let read: Value = outbound.get_json(&url(format!("http://localhost:{port}/"))).await.unwrap();
    assert_eq!(read, serde_json::json!({ "here": true }));
}
