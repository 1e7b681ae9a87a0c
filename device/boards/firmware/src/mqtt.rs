//! The packets of MQTT 5 that a device sends and hears.
//!
//! One task reads and another writes, side by side. A client that breaks reading off in order to
//! send would lose what TLS has read of a record under it, and with it the session.

use alloc::string::String;
use alloc::vec::Vec;

/// Seconds between two signs of life, as the broker is told.
pub(crate) const KEEP_ALIVE_S: u16 = 60;
/// Largest packet taken: a shadow of 8 KiB twice, as `documents` has it, and its topic.
pub(crate) const PACKET_BYTES_MAX: usize = 20 * 1024;

/// A packet of the broker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The session was accepted, or not: the reason code.
    Connected(u8),
    /// A message. `packet` is there where it has to be acknowledged.
    Message { topic: String, payload: Vec<u8>, packet: Option<u16> },
    /// Whether every topic was granted.
    Subscribed(bool),
    /// Something that says no more than that the broker is there.
    Alive,
    /// The broker ends the session.
    Ended,
}

/// CONNECT, for a session that begins anew.
pub(crate) fn connect(client: &str) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend_from_slice(&[5, 0b10]);
    body.extend_from_slice(&KEEP_ALIVE_S.to_be_bytes());
    // Properties: the largest packet.
    body.extend_from_slice(&[5, 0x27]);
    body.extend_from_slice(&(PACKET_BYTES_MAX as u32).to_be_bytes());
    text(&mut body, client);
    packet(0x10, &body)
}

/// SUBSCRIBE, QoS 1.
pub(crate) fn subscribe(number: u16, topics: &[String]) -> Vec<u8> {
    let mut body = Vec::from(number.to_be_bytes());
    body.push(0);
    for topic in topics {
        text(&mut body, topic);
        body.push(1);
    }
    packet(0x82, &body)
}

/// PUBLISH: QoS 1 with a number, QoS 0 without.
pub(crate) fn publish(topic: &str, payload: &[u8], number: Option<u16>) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    if let Some(number) = number {
        body.extend_from_slice(&number.to_be_bytes());
    }
    body.push(0);
    body.extend_from_slice(payload);
    packet(if number.is_some() { 0x32 } else { 0x30 }, &body)
}

/// PUBACK.
pub(crate) fn acknowledge(number: u16) -> Vec<u8> {
    packet(0x40, &number.to_be_bytes())
}

/// PINGREQ.
pub(crate) fn ping() -> Vec<u8> {
    packet(0xC0, &[])
}

/// DISCONNECT.
pub(crate) fn disconnect() -> Vec<u8> {
    packet(0xE0, &[])
}

/// What a packet says: its first byte, and what stands behind the length. `None` for nonsense.
pub(crate) fn read(first: u8, body: Vec<u8>) -> Option<Heard> {
    match first >> 4 {
        2 => Some(Heard::Connected(*body.get(1)?)),
        3 => message(first, body),
        9 => {
            let (_, rest) = body.split_at_checked(2)?;
            let codes = rest.get(behind_properties(rest)?..)?;
            Some(Heard::Subscribed(!codes.is_empty() && codes.iter().all(|&code| code < 0x80)))
        }
        4 | 13 => Some(Heard::Alive),
        14 => Some(Heard::Ended),
        _ => None,
    }
}

fn message(first: u8, mut body: Vec<u8>) -> Option<Heard> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (topic, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let topic = String::from(core::str::from_utf8(topic).ok()?);
    let (packet, rest) = match first >> 1 & 0b11 {
        0 => (None, rest),
        1 => {
            let (number, rest) = rest.split_first_chunk::<2>()?;
            (Some(u16::from_be_bytes(*number)), rest)
        }
        _ => return None,
    };
    let behind = rest.len().checked_sub(behind_properties(rest)?)?;
    // A long one is not held twice.
    body.drain(..body.len() - behind);
    Some(Heard::Message { topic, payload: body, packet })
}

/// Where properties end that these bytes begin with.
fn behind_properties(bytes: &[u8]) -> Option<usize> {
    let mut length = Length::new();
    let mut rest = bytes;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        if let Some(length) = length.take(byte)? {
            return Some(bytes.len() - rest.len() + length);
        }
    }
}

/// A length in one to four bytes, seven bits in each.
#[derive(Debug)]
pub(crate) struct Length {
    value: usize,
    shift: u32,
}

impl Length {
    pub(crate) fn new() -> Length {
        Length { value: 0, shift: 0 }
    }

    /// Takes the next byte; the length once it is whole. `None` for one that is too long.
    pub(crate) fn take(&mut self, byte: u8) -> Option<Option<usize>> {
        if self.shift > 21 {
            return None;
        }
        self.value |= usize::from(byte & 0x7F) << self.shift;
        self.shift += 7;
        Some((byte & 0x80 == 0).then_some(self.value))
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    // Topics and names of ours are shorter than anything that would be cut.
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(5 + body.len());
    out.push(first);
    let mut left = body.len();
    loop {
        let more = left > 0x7F;
        out.push((left & 0x7F) as u8 | if more { 0x80 } else { 0 });
        left >>= 7;
        if !more {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    /// The first byte of a packet, and what stands behind its length.
    fn open(bytes: &[u8]) -> (u8, &[u8]) {
        let mut length = Length::new();
        for (at, &byte) in bytes.iter().enumerate().skip(1) {
            if let Some(found) = length.take(byte).unwrap() {
                assert_eq!(bytes.len() - at - 1, found);
                return (bytes[0], &bytes[at + 1..]);
            }
        }
        panic!("no length: {bytes:?}");
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        for length in [0, 1, 100, 127, 128, 8192, 16_400] {
            for number in [None, Some(7)] {
                let payload = vec![0xA5; length];
                let bytes = publish("a/b", &payload, number);
                let (first, body) = open(&bytes);
                let topic = "a/b".to_string();
                let expected = Heard::Message { topic, payload, packet: number };
                assert_eq!(read(first, body.to_vec()), Some(expected));
            }
        }
    }

    #[test]
    fn every_topic_has_to_be_granted() {
        assert_eq!(read(0x90, vec![0, 1, 0, 1, 1]), Some(Heard::Subscribed(true)));
        assert_eq!(read(0x90, vec![0, 1, 0, 1, 0x87]), Some(Heard::Subscribed(false)));
        assert_eq!(read(0x90, vec![0, 1, 0]), Some(Heard::Subscribed(false)));
    }

    #[test]
    fn nonsense_is_none() {
        let cases: [(u8, &[u8]); 7] = [
            (0x20, &[0]),
            (0x30, &[0, 5, b'a']),
            (0x30, &[0, 1, b'a', 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            (0x30, &[0, 1, b'a', 9, 1]),
            (0x34, &[0, 1, b'a', 0, 1, 0]),
            (0x90, &[0]),
            (0xF0, &[]),
        ];
        for (first, body) in cases {
            assert_eq!(read(first, body.to_vec()), None, "{first:#x} {body:?}");
        }
    }

    #[test]
    fn a_session_is_asked_for_as_the_standard_has_it() {
        let expected =
            [&[0x10, 22, 0, 4][..], b"MQTT", &[5, 2, 0, 60, 5, 0x27, 0, 0, 0x50, 0, 0, 4], b"thin"];
        assert_eq!(connect("thin"), expected.concat());
    }
}
