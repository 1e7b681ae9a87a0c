//! An MQTT 3.1.1 client that keeps requests open, as light as a load generator has to be.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use bytestring::ByteString;
use futures::{FutureExt, SinkExt, StreamExt};
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v3::{Codec, Connect, ConnectAckReason, Packet, SubscribeReturnCode};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

/// Seconds; longer than any measurement, so that no ping is measured.
const KEEP_ALIVE_S: u16 = 600;

/// What a connection runs over.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// One connection.
pub(crate) struct Client {
    framed: Framed<Box<dyn Transport>, Codec>,
    next_id: NonZeroU16,
}

impl Client {
    /// Connects over plain TCP.
    pub(crate) async fn plain(address: SocketAddr, client_id: &str) -> Result<Client> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        Client::over(Box::new(stream), client_id).await
    }

    /// Connects over a transport that is open.
    pub(crate) async fn over(transport: Box<dyn Transport>, client_id: &str) -> Result<Client> {
        let framed = Framed::new(transport, Codec::default());
        let mut client = Client { framed, next_id: NonZeroU16::MIN };
        let connect = Connect {
            clean_session: true,
            keep_alive: KEEP_ALIVE_S,
            client_id: ByteString::from(client_id),
            ..Connect::default()
        };
        client.framed.send(connect.into()).await?;
        match client.packet().await? {
            Packet::ConnectAck(ack) => {
                let accepted = ack.return_code == ConnectAckReason::ConnectionAccepted;
                ensure!(accepted, "{client_id} was refused: {:?}", ack.return_code);
            }
            other => bail!("{client_id} was answered {other:?}"),
        }
        Ok(client)
    }

    /// Subscribes at QoS 1. What comes before that is granted is dropped.
    pub(crate) async fn subscribe(&mut self, filters: &[&str]) -> Result<()> {
        let packet_id = self.id();
        let topic_filters =
            filters.iter().map(|filter| (ByteString::from(*filter), QoS::AtLeastOnce));
        let topic_filters = topic_filters.collect();
        self.framed.send(Packet::Subscribe { packet_id, topic_filters }).await?;
        loop {
            match self.packet().await? {
                Packet::SubscribeAck { status, .. } => {
                    let refused = status.contains(&SubscribeReturnCode::Failure);
                    ensure!(!refused, "a subscription was refused: {filters:?}");
                    return self.flush().await;
                }
                other => drop(self.take(other).await?),
            }
        }
    }

    /// Puts a message at QoS 1 into the buffer; [`Client::flush`] sends it.
    pub(crate) async fn feed(&mut self, topic: &ByteString, payload: Bytes) -> Result<()> {
        let publish = Publish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: topic.clone(),
            packet_id: Some(self.id()),
            payload,
            properties: None,
        };
        self.framed.feed(Packet::Publish(Box::new(publish))).await?;
        Ok(())
    }

    /// Sends what was fed.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.framed.flush().await?;
        Ok(())
    }

    /// The next message; acknowledged with the next flush.
    pub(crate) async fn message(&mut self) -> Result<Publish> {
        loop {
            let packet = self.packet().await?;
            if let Some(message) = self.take(packet).await? {
                return Ok(message);
            }
        }
    }

    /// A message that has arrived already.
    pub(crate) async fn waiting_message(&mut self) -> Result<Option<Publish>> {
        while let Some(packet) = self.framed.next().now_or_never() {
            let (packet, _) = packet.context("the connection was closed")??;
            if let Some(message) = self.take(packet).await? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    async fn take(&mut self, packet: Packet) -> Result<Option<Publish>> {
        let Packet::Publish(publish) = packet else { return Ok(None) };
        if let Some(packet_id) = publish.packet_id {
            self.framed.feed(Packet::PublishAck { packet_id }).await?;
        }
        Ok(Some(*publish))
    }

    async fn packet(&mut self) -> Result<Packet> {
        let (packet, _) = self.framed.next().await.context("the connection was closed")??;
        Ok(packet)
    }

    fn id(&mut self) -> NonZeroU16 {
        let id = self.next_id;
        self.next_id = id.checked_add(1).unwrap_or(NonZeroU16::MIN);
        id
    }
}
