//! Where connections come from, and how they begin.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use rmqtt_codec::cert::CertInfo;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::version::{ProtocolVersion, VersionCodec};
use rmqtt_codec::{MqttCodec, MqttPacket, v3::Codec as CodecV3, v5::Codec as CodecV5};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::codec::Framed;

use crate::{Builder, ListenerType, MqttError, MqttStream, Result, v3, v5};

/// What carries the bytes of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where connections come from.
pub trait Door: Send + Sync {
    /// The next one. After an error rmqtt waits a second and asks again.
    fn accept(&self) -> BoxFuture<'_, io::Result<Arrival>>;
}

/// A connection that has just come.
pub struct Arrival {
    /// Who it is from.
    pub remote_addr: SocketAddr,
    /// Lets it in; awaited in a task of its own.
    pub entering: Entering,
}

/// What has to happen before a connection speaks MQTT: a TLS handshake, or nothing.
pub type Entering = BoxFuture<'static, io::Result<Guest>>;

/// A connection that may speak MQTT.
pub struct Guest {
    /// Its bytes.
    pub stream: Box<dyn Stream>,
    /// What `ConnectInfo::cert` gives back.
    pub certificate: Option<CertInfo>,
}

/// Takes connections from a door.
pub struct Listener {
    /// What rmqtt does with them: all come as if over TCP.
    pub typ: ListenerType,
    /// Settings of the sessions.
    pub cfg: Arc<Builder>,
    door: Arc<dyn Door>,
}

impl Listener {
    /// A listener with these settings of its sessions.
    pub fn new(cfg: Builder, door: Arc<dyn Door>) -> Listener {
        Listener { typ: ListenerType::TCP, cfg: Arc::new(cfg), door }
    }

    /// The next connection.
    pub async fn accept(&self) -> Result<Acceptor> {
        let Arrival { remote_addr, entering } = self.door.accept().await?;
        Ok(Acceptor { remote_addr, entering, cfg: self.cfg.clone() })
    }
}

/// A connection that waits to be let in.
pub struct Acceptor {
    /// Who it is from.
    pub remote_addr: SocketAddr,
    entering: Entering,
    cfg: Arc<Builder>,
}

impl Acceptor {
    /// What rmqtt asks for where the listener's type is TCP.
    pub fn tcp(self) -> Result<Dispatcher> {
        Ok(Dispatcher(self))
    }

    /// What rmqtt asks for where the listener's type is TLS, which ours never is.
    pub async fn tls(self) -> Result<Dispatcher> {
        self.tcp()
    }
}

/// Lets a connection in and finds out what it speaks.
pub struct Dispatcher(Acceptor);

impl Dispatcher {
    /// Lets the connection in and reads which MQTT it speaks, within `handshake_timeout`.
    pub async fn mqtt(self) -> Result<MqttStream<Box<dyn Stream>>> {
        let Acceptor { remote_addr, entering, cfg } = self.0;
        let Guest { stream, certificate } = entering.await?;
        let mut io = Framed::new(stream, MqttCodec::Version(VersionCodec));
        let first = timeout(cfg.handshake_timeout, io.next()).await;
        let Some(Ok((MqttPacket::Version(version), _))) =
            first.map_err(|_| MqttError::ReadTimeout)?
        else {
            return Err(DecodeError::InvalidProtocol.into());
        };
        let most = cfg.max_packet_size;
        Ok(match version {
            ProtocolVersion::MQTT3 => {
                *io.codec_mut() = MqttCodec::V3(CodecV3::new(most));
                MqttStream::V3(v3::MqttStream { io, remote_addr, cfg, cert_info: certificate })
            }
            ProtocolVersion::MQTT5 => {
                *io.codec_mut() = MqttCodec::V5(CodecV5::new(most, most));
                let farewell = v5::Farewell::default();
                let cert_info = certificate;
                MqttStream::V5(v5::MqttStream { io, remote_addr, cfg, cert_info, farewell })
            }
        })
    }
}
