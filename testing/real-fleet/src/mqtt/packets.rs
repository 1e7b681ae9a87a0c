//! Packets of MQTT 3.1.1 and 5, as bytes.

use super::{MqttMessage, MqttOptions};
use anyhow::{Context, Result, bail};

/// Long against any test; nobody pings.
const KEEP_ALIVE_SECS: u16 = 600;

/// How long the session of an MQTT 5 client stays.
const SESSION_EXPIRY_SECS: u32 = 600;

/// What the server sent.
#[derive(Debug)]
pub(super) enum Packet {
    Connected { session_present: bool, code: u8 },
    Subscribed { id: u16, codes: Vec<u8> },
    Message(MqttMessage),
    Acknowledged(u16),
    Other,
}

/// Writes and reads packets of one version.
#[derive(Clone, Copy)]
pub(super) struct Packets {
    pub(super) is_v5: bool,
}

impl Packets {
    pub(super) fn connect(self, options: &MqttOptions) -> Vec<u8> {
        let mut body = Vec::new();
        put_text(&mut body, "MQTT");
        body.extend([if self.is_v5 { 5 } else { 4 }, if options.is_clean { 2 } else { 0 }]);
        body.extend(KEEP_ALIVE_SECS.to_be_bytes());
        if let Some(maximum) = options.receive_maximum {
            let expiry = if options.is_clean { 0 } else { SESSION_EXPIRY_SECS };
            let [high, low] = maximum.to_be_bytes();
            body.extend([8, 0x21, high, low, 0x11]);
            body.extend(expiry.to_be_bytes());
        }
        put_text(&mut body, &options.client_id);
        packet(0x10, &body)
    }

    pub(super) fn subscribe(self, id: u16, filters: &[&str], qos: u8) -> Vec<u8> {
        let mut body = id.to_be_bytes().to_vec();
        self.put_no_properties(&mut body);
        for filter in filters {
            put_text(&mut body, filter);
            body.push(qos);
        }
        packet(0x82, &body)
    }

    pub(super) fn publish(self, id: u16, topic: &str, payload: &[u8], qos: u8) -> Vec<u8> {
        let mut body = Vec::new();
        put_text(&mut body, topic);
        if qos > 0 {
            body.extend(id.to_be_bytes());
        }
        self.put_no_properties(&mut body);
        body.extend(payload);
        packet(0x30 | qos << 1, &body)
    }

    pub(super) fn acknowledge(self, id: u16) -> Vec<u8> {
        packet(0x40, &id.to_be_bytes())
    }

    /// The first packet of what was read and its length, once it is whole.
    pub(super) fn read(self, bytes: &[u8]) -> Result<Option<(Packet, usize)>> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let Some((length, after)) = variable(rest) else { return Ok(None) };
        let begin = 1 + after;
        let Some(body) = bytes.get(begin..begin + length) else { return Ok(None) };
        Ok(Some((self.parse(first, body).context("the server sent nonsense")?, begin + length)))
    }

    fn parse(self, first: u8, body: &[u8]) -> Result<Packet> {
        Ok(match first >> 4 {
            2 => Packet::Connected { session_present: *at(body, 0)? == 1, code: *at(body, 1)? },
            3 => Packet::Message(self.message(first, body)?),
            4 if body.get(2).is_some_and(|code| *code >= 0x80) => {
                bail!("a message was refused: {body:?}")
            }
            4 => Packet::Acknowledged(number(body)?),
            9 => {
                let id = number(body)?;
                let codes = self.after_properties(&body[2..])?.to_vec();
                Packet::Subscribed { id, codes }
            }
            14 => bail!("the server disconnects: {body:?}"),
            _ => Packet::Other,
        })
    }

    fn message(self, first: u8, body: &[u8]) -> Result<MqttMessage> {
        let length = usize::from(number(body)?);
        let topic = body.get(2..2 + length).context("a topic is cut off")?;
        let mut rest = &body[2 + length..];
        let mut id = None;
        if first >> 1 & 3 > 0 {
            id = Some(number(rest)?);
            rest = &rest[2..];
        }
        Ok(MqttMessage {
            topic: String::from_utf8(topic.to_vec())?,
            payload: self.after_properties(rest)?.to_vec(),
            is_dup: first & 8 > 0,
            id,
        })
    }

    fn put_no_properties(self, body: &mut Vec<u8>) {
        if self.is_v5 {
            body.push(0);
        }
    }

    fn after_properties(self, bytes: &[u8]) -> Result<&[u8]> {
        if !self.is_v5 {
            return Ok(bytes);
        }
        let (length, begin) = variable(bytes).context("properties are cut off")?;
        bytes.get(begin + length..).context("properties are cut off")
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

/// A length in MQTT's form, and how many bytes it takes.
fn variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (nth, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * nth);
        if byte & 0x80 == 0 {
            return Some((value, nth + 1));
        }
    }
    None
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text.as_bytes());
}

fn number(bytes: &[u8]) -> Result<u16> {
    Ok(u16::from_be_bytes([*at(bytes, 0)?, *at(bytes, 1)?]))
}

fn at(bytes: &[u8], index: usize) -> Result<&u8> {
    bytes.get(index).context("a packet is cut off")
}
