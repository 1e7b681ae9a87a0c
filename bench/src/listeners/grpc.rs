//! `ListenUpdates` over HTTP/2.

use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::{Buf, Bytes, BytesMut};
use otaru_wire::notifications::{Event, LISTEN_UPDATES_PATH, ListenUpdatesResponse};
use prost::Message;

use super::connect::Target;
use super::crowd::{News, Teller};

/// An empty request message, with its head.
const REQUEST: &[u8] = &[0; 5];

pub(super) async fn listen(target: &Target, teller: &Teller) -> Result<()> {
    let Target { address, token, .. } = target;
    let (mut client, connection) = h2::client::handshake(target.connect(b"h2").await?).await?;
    // It ends with the stream below, whose task tells.
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://{address}{LISTEN_UPDATES_PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {token}"))
        .body(())?;
    let (response, mut body) = client.send_request(request, false)?;
    body.send_data(Bytes::from_static(REQUEST), true)?;
    let response = response.await?;
    let refused = response.headers().get("grpc-status");
    ensure!(response.status() == 200 && refused.is_none(), "refused: {response:?}");
    let mut pieces = response.into_body();
    let mut unread = BytesMut::new();
    while let Some(piece) = pieces.data().await {
        let piece = piece?;
        pieces.flow_control().release_capacity(piece.len())?;
        unread.extend_from_slice(&piece);
        while let Some(message) = split_message(&mut unread) {
            let ListenUpdatesResponse { id, event } = ListenUpdatesResponse::decode(message)?;
            match event {
                Some(Event::DeviceChanged(_)) => teller.send(News::Heard(Instant::now()))?,
                None if id.is_some() => teller.send(News::Listening)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// The next whole message, without its head.
fn split_message(unread: &mut BytesMut) -> Option<BytesMut> {
    let head = unread.first_chunk::<5>()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if unread.len() < 5 + length {
        return None;
    }
    unread.advance(5);
    Some(unread.split_to(length))
}
