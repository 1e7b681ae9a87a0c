//! What comes out of a socket, looked at record by record before TLS takes it.
//!
//! `embedded-tls` takes a record that nobody encrypted for what it says, at any time: behind the
//! handshake, whoever is on the way may end a session with it, or the program. So only
//! encrypted records pass then, and each is marked, for [`super::suite`] to know that the
//! handshake is over: the second byte of its version, which always says the same, says so instead.

use super::suite::{HANDSHAKE_VERSION, OPEN_VERSION};

const HEADER_BYTES: usize = 5;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// The peer sent what no peer has to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing came yet: the server's hello does, and nobody can encrypt it.
    Hello,
    /// All that counts is encrypted, but for an alert of a server that gives up.
    Handshake,
    /// All is encrypted.
    Open,
}

/// Follows a stream from its first byte on.
#[derive(Debug)]
pub(crate) struct Records {
    stage: Stage,
    kind: u8,
    /// Bytes of the header that came.
    header: usize,
    /// Bytes of the record that are still to come.
    left: usize,
}

impl Records {
    pub(crate) const fn new() -> Records {
        Records { stage: Stage::Hello, kind: 0, header: 0, left: 0 }
    }

    /// The handshake is over.
    pub(crate) fn open(&mut self) {
        self.stage = Stage::Open;
    }

    /// Looks at the next bytes of the stream, and marks records.
    pub(crate) fn pass(&mut self, bytes: &mut [u8]) -> Result<(), Forged> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = if self.header < HEADER_BYTES {
                rest[0] = self.pass_header(rest[0])?;
                1
            } else {
                let length = self.left.min(rest.len());
                self.left -= length;
                length
            };
            if self.header == HEADER_BYTES && self.left == 0 {
                self.header = 0;
            }
            rest = rest.split_at_mut(length).1;
        }
        Ok(())
    }

    fn pass_header(&mut self, byte: u8) -> Result<u8, Forged> {
        let at = self.header;
        self.header += 1;
        match at {
            0 => {
                self.kind = byte;
                self.admit()?;
            }
            1 | 2 if self.kind == APPLICATION_DATA => {
                if byte != HANDSHAKE_VERSION[at - 1] {
                    return Err(Forged);
                }
                return Ok(if self.stage == Stage::Open { OPEN_VERSION[at - 1] } else { byte });
            }
            3 => self.left = usize::from(byte) << 8,
            4 => self.left |= usize::from(byte),
            _ => {}
        }
        Ok(byte)
    }

    fn admit(&mut self) -> Result<(), Forged> {
        match (self.stage, self.kind) {
            (_, APPLICATION_DATA) => Ok(()),
            (Stage::Hello, HANDSHAKE) => {
                self.stage = Stage::Handshake;
                Ok(())
            }
            (Stage::Hello | Stage::Handshake, ALERT | CHANGE_CIPHER_SPEC) => Ok(()),
            _ => Err(Forged),
        }
    }
}
