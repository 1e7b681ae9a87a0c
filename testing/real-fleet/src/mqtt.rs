//! An MQTT client that does what it is told and nothing else: it can publish without reading, read
//! without acknowledging, and go without a word.

mod packets;

use anyhow::{Context, Result, bail, ensure};
use packets::{Packet, Packets};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

/// A connection of any kind.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// What a client says of itself, and how it reads.
#[derive(Clone, Debug)]
pub struct MqttOptions {
    /// Its client id.
    pub client_id: String,
    /// Whether its session ends with the connection.
    pub is_clean: bool,
    /// Speaks MQTT 5 and takes this many unacknowledged messages; none is MQTT 3.1.1.
    pub receive_maximum: Option<u16>,
    /// How much the operating system takes in before the client reads.
    pub receive_buffer_bytes: Option<u32>,
}

impl MqttOptions {
    /// MQTT 3.1.1, and no session that stays.
    pub fn clean(client_id: &str) -> MqttOptions {
        MqttOptions {
            client_id: client_id.to_owned(),
            is_clean: true,
            receive_maximum: None,
            receive_buffer_bytes: None,
        }
    }

    /// MQTT 3.1.1, with a session that stays.
    pub fn lasting(client_id: &str) -> MqttOptions {
        MqttOptions { is_clean: false, ..MqttOptions::clean(client_id) }
    }
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttMessage {
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// Whether it may have come before.
    pub is_dup: bool,
    id: Option<u16>,
}

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MqttIncoming {
    /// A message.
    Message(MqttMessage),
    /// The server has the message with this number.
    Acknowledged(u16),
}

/// A connection. Dropped, it is gone without a goodbye.
pub struct Mqtt {
    wire: Box<dyn Wire>,
    packets: Packets,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    waiting: VecDeque<MqttIncoming>,
    last_id: u16,
    /// Whether messages are acknowledged as they are taken.
    pub acknowledges: bool,
    /// Whether the server had a session for it.
    pub session_present: bool,
}

impl Mqtt {
    /// Connects to the port of the backends.
    pub async fn backend(address: SocketAddr, options: &MqttOptions) -> Result<Mqtt> {
        Mqtt::over(Box::new(open(address, options).await?), options).await
    }

    /// Connects to the port of the devices.
    pub async fn device(
        address: SocketAddr,
        tls: Arc<ClientConfig>,
        options: &MqttOptions,
    ) -> Result<Mqtt> {
        let socket = open(address, options).await?;
        let name = ServerName::IpAddress(address.ip().into());
        Mqtt::over(Box::new(TlsConnector::from(tls).connect(name, socket).await?), options).await
    }

    async fn over(wire: Box<dyn Wire>, options: &MqttOptions) -> Result<Mqtt> {
        let packets = Packets { is_v5: options.receive_maximum.is_some() };
        let mut client = Mqtt {
            wire,
            packets,
            unread: Vec::new(),
            unsent: packets.connect(options),
            waiting: VecDeque::new(),
            last_id: 0,
            acknowledges: true,
            session_present: false,
        };
        match client.packet().await? {
            Packet::Connected { session_present, code: 0 } => {
                client.session_present = session_present;
                Ok(client)
            }
            other => bail!("{} was not let in: {other:?}", options.client_id),
        }
    }

    /// Subscribes to all filters in one packet, and waits until they are granted.
    pub async fn subscribe(&mut self, filters: &[&str], qos: u8) -> Result<()> {
        let id = self.id();
        self.unsent.extend(self.packets.subscribe(id, filters, qos));
        loop {
            match self.packet().await? {
                Packet::Subscribed { id: answered, codes } if answered == id => {
                    let refused = codes.iter().any(|code| *code > 2);
                    ensure!(!refused, "a subscription was refused: {filters:?} {codes:?}");
                    return Ok(());
                }
                packet => self.set_aside(packet),
            }
        }
    }

    /// Writes a message down; it goes out with the next flush or read. Gives its number.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: u8) -> u16 {
        let id = self.id();
        self.unsent.extend(self.packets.publish(id, topic, payload, qos));
        id
    }

    /// Sends what was written down.
    pub async fn flush(&mut self) -> Result<()> {
        self.wire.write_all(&self.unsent).await?;
        self.unsent.clear();
        self.wire.flush().await?;
        Ok(())
    }

    /// What comes next. May be given up and asked for again.
    pub async fn next(&mut self) -> Result<MqttIncoming> {
        while self.waiting.is_empty() {
            let packet = self.packet().await?;
            self.set_aside(packet);
        }
        let next = self.waiting.pop_front().context("the loop ended")?;
        if let MqttIncoming::Message(MqttMessage { id: Some(id), .. }) = &next
            && self.acknowledges
        {
            self.unsent.extend(self.packets.acknowledge(*id));
        }
        Ok(next)
    }

    /// The next message.
    pub async fn message(&mut self) -> Result<MqttMessage> {
        loop {
            if let MqttIncoming::Message(message) = self.next().await? {
                return Ok(message);
            }
        }
    }

    /// Publishes and waits until the server has it; messages that come first are kept.
    pub async fn publish_and_wait(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        let id = self.publish(topic, payload, 1);
        while !self.waiting.contains(&MqttIncoming::Acknowledged(id)) {
            let packet = self.packet().await?;
            self.set_aside(packet);
        }
        Ok(())
    }

    /// Says goodbye; a clean session ends with it.
    pub async fn disconnect(mut self) -> Result<()> {
        self.unsent.extend([0xe0, 0]);
        self.flush().await
    }

    fn set_aside(&mut self, packet: Packet) {
        match packet {
            Packet::Message(message) => self.waiting.push_back(MqttIncoming::Message(message)),
            Packet::Acknowledged(id) => self.waiting.push_back(MqttIncoming::Acknowledged(id)),
            Packet::Connected { .. } | Packet::Subscribed { .. } | Packet::Other => {}
        }
    }

    fn id(&mut self) -> u16 {
        self.last_id = self.last_id % u16::MAX + 1;
        self.last_id
    }

    /// Sends what waits and reads one packet.
    async fn packet(&mut self) -> Result<Packet> {
        if !self.unsent.is_empty() {
            self.flush().await?;
        }
        loop {
            if let Some((packet, length)) = self.packets.read(&self.unread)? {
                self.unread.drain(..length);
                return Ok(packet);
            }
            let read = self.wire.read_buf(&mut self.unread).await?;
            ensure!(read > 0, "the server closed the connection");
        }
    }
}

async fn open(address: SocketAddr, options: &MqttOptions) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(address).await.with_context(|| address.to_string())?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// TLS with a device's certificate, from the texts that `device add` gives out.
pub fn device_tls(certificate: &str, key: &str, ca: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(Arc::new(config))
}
