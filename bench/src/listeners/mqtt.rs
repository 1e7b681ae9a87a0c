//! A subscription of MQTT 3.1.1, written by hand.

use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::Target;
use super::crowd::{News, Teller};

/// CONNECT: a clean session without keep-alive; the broker names the client.
const CONNECT: &[u8] = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00";
const CONNACK: &[u8] = &[0x20, 2, 0, 0];

/// SUBSCRIBE to `news` with QoS 0.
const SUBSCRIBE: &[u8] = b"\x82\x09\x00\x01\x00\x04news\x00";
const SUBACK: &[u8] = &[0x90, 3, 0, 1, 0];

/// PUBLISH on `news`: as many bytes as a `device_changed` has.
const PUBLISH: &[u8] = b"\x30\x1a\x00\x04news{\"thing\":\"clock-01\"}";

pub(super) async fn listen(target: &Target, teller: &Teller) -> Result<()> {
    let mut stream = target.connect(b"mqtt").await?;
    stream.write_all(&[CONNECT, SUBSCRIBE].concat()).await?;
    let mut welcome = [0; CONNACK.len() + SUBACK.len()];
    stream.read_exact(&mut welcome).await?;
    ensure!(welcome[..] == [CONNACK, SUBACK].concat(), "refused: {welcome:?}");
    teller.send(News::Listening)?;
    let mut message = [0; PUBLISH.len()];
    loop {
        stream.read_exact(&mut message).await?;
        ensure!(message == PUBLISH, "not what was published: {message:?}");
        teller.send(News::Heard(Instant::now()))?;
    }
}

/// Publishes once.
pub(super) async fn publish(target: &Target) -> Result<()> {
    let mut stream = target.connect(b"mqtt").await?;
    stream.write_all(CONNECT).await?;
    let mut welcome = [0; CONNACK.len()];
    stream.read_exact(&mut welcome).await?;
    // DISCONNECT
    stream.write_all(&[PUBLISH, &[0xe0, 0]].concat()).await?;
    Ok(())
}
