//! An MQTT 3.1.1 client that does exactly what a test says.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longer than anything a healthy broker takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection of any kind.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// What a CONNECT says.
pub(crate) struct Options {
    pub(crate) client_id: String,
    pub(crate) clean: bool,
    pub(crate) keep_alive_secs: u16,
    pub(crate) will: Option<Will>,
}

impl Options {
    pub(crate) fn clean(client_id: &str) -> Options {
        let client_id = client_id.to_owned();
        Options { client_id, clean: true, keep_alive_secs: 60, will: None }
    }

    pub(crate) fn persistent(client_id: &str) -> Options {
        Options { clean: false, ..Options::clean(client_id) }
    }

    pub(crate) fn with_will(mut self, topic: &str, payload: &str) -> Options {
        let (topic, payload) = (topic.to_owned(), payload.to_owned());
        self.will = Some(Will { topic, payload, retain: false });
        self
    }
}

pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) retain: bool,
}

/// A PUBLISH that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    id: u16,
}

impl Received {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.payload.clone()).unwrap()
    }
}

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotIn {
    /// CONNACK with this return code.
    Refused(u8),
    /// The socket was closed instead.
    Closed,
}

pub(crate) struct Client {
    wire: Box<dyn Wire>,
    inbox: VecDeque<Received>,
    next_id: u16,
    /// Whether messages are acknowledged as they are taken.
    pub(crate) acknowledges: bool,
    pub(crate) session_present: bool,
}

struct Packet {
    first: u8,
    body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(wire: Box<dyn Wire>, options: Options) -> Result<Client, NotIn> {
        let mut client = Client {
            wire,
            inbox: VecDeque::new(),
            next_id: 0,
            acknowledges: true,
            session_present: false,
        };
        if client.send(0x10, &connect_body(&options)).await.is_err() {
            return Err(NotIn::Closed);
        }
        match client.read().await {
            Ok(Packet { first: 0x20, body }) if body[1] == 0 => {
                client.session_present = body[0] == 1;
                Ok(client)
            }
            Ok(Packet { first: 0x20, body }) => Err(NotIn::Refused(body[1])),
            Ok(packet) => panic!("CONNACK expected, found {:#04x}", packet.first),
            Err(_) => Err(NotIn::Closed),
        }
    }

    /// Sends a CONNECT and is gone before the answer.
    pub(crate) async fn knock(mut wire: Box<dyn Wire>, options: &Options) {
        let packet = packet(0x10, &connect_body(options));
        wire.write_all(&packet).await.unwrap();
    }

    /// Subscribes to one filter and gives the SUBACK's code.
    pub(crate) async fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        self.try_subscribe(filter, qos).await.expect("the broker answers a SUBSCRIBE")
    }

    pub(crate) async fn try_subscribe(&mut self, filter: &str, qos: u8) -> io::Result<u8> {
        let id = self.id();
        let mut body = id.to_be_bytes().to_vec();
        put_text(&mut body, filter);
        body.push(qos);
        self.send(0x82, &body).await?;
        Ok(self.answer(0x90, id).await?[2])
    }

    /// Subscribes to several filters in one packet.
    pub(crate) async fn subscribe_all(&mut self, filters: &[String]) {
        let id = self.id();
        let mut body = id.to_be_bytes().to_vec();
        for filter in filters {
            put_text(&mut body, filter);
            body.push(1);
        }
        self.send(0x82, &body).await.unwrap();
        self.answer(0x90, id).await.expect("the broker answers a SUBSCRIBE");
    }

    pub(crate) async fn unsubscribe(&mut self, filter: &str) {
        self.unsubscribe_all(&[filter.to_owned()]).await;
    }

    /// Unsubscribes from several filters in one packet.
    pub(crate) async fn unsubscribe_all(&mut self, filters: &[String]) {
        let id = self.id();
        let mut body = id.to_be_bytes().to_vec();
        for filter in filters {
            put_text(&mut body, filter);
        }
        self.send(0xa2, &body).await.unwrap();
        self.answer(0xb0, id).await.expect("the broker answers an UNSUBSCRIBE");
    }

    /// Publishes at QoS 1 and waits for the PUBACK; an error means the broker closed instead.
    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
    ) -> io::Result<()> {
        let id = self.send_publish(topic, payload.as_ref(), 1, false).await?;
        self.answer(0x40, id).await.map(|_| ())
    }

    /// Sends a PUBLISH and waits for nothing.
    pub(crate) async fn send_publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: u8,
        retain: bool,
    ) -> io::Result<u16> {
        let id = self.id();
        let mut body = Vec::new();
        put_text(&mut body, topic);
        if qos > 0 {
            body.extend(id.to_be_bytes());
        }
        body.extend(payload);
        self.send(0x30 | qos << 1 | u8::from(retain), &body).await?;
        Ok(id)
    }

    /// The next message, acknowledged unless `acknowledges` is off.
    pub(crate) async fn next(&mut self) -> Received {
        self.try_next().await.expect("the connection is open")
    }

    /// Waits for the broker to close; messages on the way are given.
    pub(crate) async fn closed(mut self) -> Vec<Received> {
        let mut last = Vec::new();
        while let Ok(message) = self.try_next().await {
            last.push(message);
        }
        last
    }

    /// Says DISCONNECT and goes.
    pub(crate) async fn disconnect(mut self) {
        self.send(0xe0, &[]).await.unwrap();
        let _already_closed = self.wire.shutdown().await;
    }

    /// A round trip: what was sent to this client before it has arrived.
    pub(crate) async fn ping(&mut self) -> io::Result<()> {
        self.send(0xc0, &[]).await?;
        loop {
            let packet = self.read().await?;
            match packet.first >> 4 {
                0xd => return Ok(()),
                0x3 => self.stash(packet),
                _ => {}
            }
        }
    }

    /// The same, unless the broker has closed.
    pub(crate) async fn try_next(&mut self) -> io::Result<Received> {
        while self.inbox.is_empty() {
            let packet = self.read().await?;
            if packet.first >> 4 == 0x3 {
                self.stash(packet);
            }
        }
        let message = self.inbox.pop_front().expect("the loop ended");
        if message.qos > 0 && self.acknowledges {
            self.send(0x40, &message.id.to_be_bytes()).await?;
        }
        Ok(message)
    }

    /// The packet of this kind with this identifier; messages that come first are kept.
    async fn answer(&mut self, first: u8, id: u16) -> io::Result<Vec<u8>> {
        loop {
            let packet = self.read().await?;
            if packet.first >> 4 == 0x3 {
                self.stash(packet);
            } else if packet.first == first && packet.body[..2] == id.to_be_bytes() {
                return Ok(packet.body);
            }
        }
    }

    fn stash(&mut self, packet: Packet) {
        let (flags, mut body) = (packet.first & 0xf, packet.body);
        let qos = flags >> 1 & 3;
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let mut payload = body.split_off(2 + length);
        let topic = String::from_utf8(body.split_off(2)).unwrap();
        let mut id = 0;
        if qos > 0 {
            let rest = payload.split_off(2);
            id = u16::from_be_bytes([payload[0], payload[1]]);
            payload = rest;
        }
        let (retain, dup) = (flags & 1 == 1, flags & 8 == 8);
        self.inbox.push_back(Received { topic, payload, qos, retain, dup, id });
    }

    fn id(&mut self) -> u16 {
        self.next_id = self.next_id % u16::MAX + 1;
        self.next_id
    }

    async fn send(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        self.wire.write_all(&packet(first, body)).await?;
        self.wire.flush().await
    }

    async fn read(&mut self) -> io::Result<Packet> {
        let wire = &mut self.wire;
        let packet = async {
            let first = wire.read_u8().await?;
            let (mut length, mut shift) = (0, 0);
            loop {
                let byte = wire.read_u8().await?;
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            wire.read_exact(&mut body).await?;
            Ok(Packet { first, body })
        };
        tokio::time::timeout(PATIENCE, packet).await.expect("the broker says something in time")
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let more = if left > 127 { 0x80 } else { 0 };
        packet.push((left % 128) as u8 | more);
        left /= 128;
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

fn connect_body(options: &Options) -> Vec<u8> {
    let mut body = Vec::new();
    put_text(&mut body, "MQTT");
    let will = options.will.as_ref();
    let will_flags = will.map_or(0, |will| 0x0c | if will.retain { 0x20 } else { 0 });
    body.extend([4, will_flags | if options.clean { 2 } else { 0 }]);
    body.extend(options.keep_alive_secs.to_be_bytes());
    put_text(&mut body, &options.client_id);
    if let Some(will) = will {
        put_text(&mut body, &will.topic);
        put_text(&mut body, &will.payload);
    }
    body
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    body.extend(text.as_bytes());
}
