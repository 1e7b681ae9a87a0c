//! AES-128-GCM, and a look at what it decrypted before `embedded-tls` takes it.
//!
//! The library ends the program over an encrypted record with nothing in it, which everybody can
//! send who answers a connection, and over a message of the handshake behind its end. Neither is
//! to be seen from outside. Here such a record counts as one that is not authentic: the
//! connection is over, and nothing else.

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::consts::{U0, U12, U16};
use aes_gcm::aead::{AeadCore, AeadInPlace, Error, Key, KeyInit, KeySizeUser, Nonce, Tag};
use embedded_tls::{Aes128GcmSha256, TlsCipherSuite};
use sha2::Sha256;

/// The version that every encrypted record names.
pub(crate) const HANDSHAKE_VERSION: [u8; 2] = [3, 3];
/// What stands there instead once the handshake is over ([`super::records`]).
pub(crate) const OPEN_VERSION: [u8; 2] = [3, 0xFE];

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const NEW_SESSION_TICKET: u8 = 4;
const MESSAGE_HEADER_BYTES: usize = 4;

/// TLS_AES_128_GCM_SHA256.
pub(crate) struct Suite;

impl TlsCipherSuite for Suite {
    const CODE_POINT: u16 = Aes128GcmSha256::CODE_POINT;
    type Cipher = Looking;
    type KeyLen = U16;
    type IvLen = U12;
    type Hash = Sha256;
    type LabelBufferSize = <Aes128GcmSha256 as TlsCipherSuite>::LabelBufferSize;
}

/// The cipher.
pub(crate) struct Looking(Aes128Gcm);

impl KeySizeUser for Looking {
    type KeySize = U16;
}

impl KeyInit for Looking {
    fn new(key: &Key<Looking>) -> Looking {
        Looking(Aes128Gcm::new(key))
    }
}

impl AeadCore for Looking {
    type NonceSize = U12;
    type TagSize = U16;
    type CiphertextOverhead = U0;
}

impl AeadInPlace for Looking {
    fn encrypt_in_place_detached(
        &self,
        nonce: &Nonce<Looking>,
        header: &[u8],
        buffer: &mut [u8],
    ) -> Result<Tag<Looking>, Error> {
        self.0.encrypt_in_place_detached(nonce, header, buffer)
    }

    fn decrypt_in_place_detached(
        &self,
        nonce: &Nonce<Looking>,
        header: &[u8],
        buffer: &mut [u8],
        tag: &Tag<Looking>,
    ) -> Result<(), Error> {
        let mut sent = <[u8; 5]>::try_from(header).map_err(|_| Error)?;
        let is_open = sent[1..3] == OPEN_VERSION;
        sent[1..3].copy_from_slice(&HANDSHAKE_VERSION);
        self.0.decrypt_in_place_detached(nonce, &sent, buffer, tag)?;
        if !is_harmless(buffer, is_open) {
            return Err(Error);
        }
        if is_open && is_handshake(buffer) {
            // A record of nothing, behind which the library reads on: tickets are of no use here,
            // and it would believe the lengths in them.
            buffer.fill(0);
            buffer[0] = APPLICATION_DATA;
        }
        Ok(())
    }
}

/// A record as it was encrypted: its kind and its content, with zeros behind both.
fn parts(plain: &[u8]) -> Option<(u8, &[u8])> {
    let end = plain.iter().rposition(|&byte| byte != 0)?;
    let (kind, content) = plain[..=end].split_last()?;
    Some((*kind, content))
}

fn is_handshake(plain: &[u8]) -> bool {
    parts(plain).is_some_and(|(kind, _)| kind == HANDSHAKE)
}

/// Whether the library can take a record.
fn is_harmless(plain: &[u8], is_open: bool) -> bool {
    parts(plain)
        .is_some_and(|(kind, content)| kind != HANDSHAKE || !is_open || are_tickets(content))
}

/// Whether every message is a ticket for another session, which is not looked at.
fn are_tickets(content: &[u8]) -> bool {
    let mut rest = content;
    while !rest.is_empty() {
        let Some(([kind, long @ ..], body)) = rest.split_first_chunk::<MESSAGE_HEADER_BYTES>()
        else {
            return false;
        };
        let length = u32::from_be_bytes([0, long[0], long[1], long[2]]) as usize;
        match body.get(length..) {
            Some(after) if *kind == NEW_SESSION_TICKET => rest = after,
            _ => return false,
        }
    }
    true
}
