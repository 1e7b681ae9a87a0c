use alloc::vec;

use super::*;

/// In the middle of the life of every certificate in `chains`.
const NOW: i64 = 1_900_000_000;
const AUTHORITY: &[u8] = include_bytes!("chains/authority.der");

/// What comes of a server that shows these certificates, before it proves anything.
fn shown(name: &'static str, now: i64, chain: &[&[u8]]) -> (bool, Option<Result<(), Reason>>) {
    let name = ServerName::try_from(name).unwrap();
    let mut verifier = Verifier::new(AUTHORITY, now, name, |_| {});
    let mut certificates = CertificateRef::with_context(&[]);
    for der in chain {
        certificates.add(CertificateEntryRef::X509(der)).unwrap();
    }
    let checked = verifier.verify_certificate(&Sha256::new(), certificates);
    (checked.is_ok(), verifier.outcome)
}

const SERVER: &[u8] = include_bytes!("chains/server.der");
const DEVICE: &[u8] = include_bytes!("chains/device.der");
const FORGED: &[u8] = include_bytes!("chains/forged.der");
const STRANGERS: &[u8] = include_bytes!("chains/strangers-server.der");
const STRANGER: &[u8] = include_bytes!("chains/stranger.der");

#[test]
fn a_server_of_the_authority_has_to_prove_itself() {
    // Good, and yet nothing before the proof: what the library does not ask for.
    for name in ["10.0.2.2", "broker.example"] {
        assert_eq!(shown(name, NOW, &[SERVER]), (true, None));
        assert_eq!(shown(name, NOW, &[SERVER, AUTHORITY]), (true, None));
    }
}

#[test]
fn nobody_else_is_a_server() {
    let untrusted = (false, Some(Err(Reason::TlsUntrusted)));
    assert_eq!(shown("10.0.2.3", NOW, &[SERVER]), untrusted);
    assert_eq!(shown("other.example", NOW, &[SERVER]), untrusted);
    assert_eq!(shown("10.0.2.2", NOW, &[DEVICE]), untrusted);
    assert_eq!(shown("10.0.2.2", NOW, &[FORGED, DEVICE]), untrusted);
    assert_eq!(shown("10.0.2.2", NOW, &[FORGED, DEVICE, AUTHORITY]), untrusted);
    assert_eq!(shown("10.0.2.2", NOW, &[STRANGERS]), untrusted);
    assert_eq!(shown("10.0.2.2", NOW, &[STRANGERS, STRANGER]), untrusted);
    assert_eq!(shown("10.0.2.2", NOW, &[]), untrusted);
}

#[test]
fn a_certificate_has_its_time() {
    let over = (false, Some(Err(Reason::TlsRootExpired)));
    assert_eq!(shown("10.0.2.2", 4_000_000_000, &[SERVER]), over);
}

/// A device knows a time that has passed. The server's certificate may be younger than that.
#[test]
fn a_certificate_made_after_the_device_is_believed() {
    for chain in [&[SERVER][..], &[SERVER, AUTHORITY]] {
        assert_eq!(shown("10.0.2.2", 1_000_000_000, chain), (true, None));
    }
    let untrusted = (false, Some(Err(Reason::TlsUntrusted)));
    assert_eq!(shown("10.0.2.2", 1_000_000_000, &[DEVICE]), untrusted);
}

/// Every certificate of one name costs whoever checks the chain another signature.
#[test]
fn a_long_chain_is_not_looked_at() {
    let untrusted = (false, Some(Err(Reason::TlsUntrusted)));
    assert_eq!(shown("10.0.2.2", NOW, &[SERVER, STRANGER, AUTHORITY]), (true, None));
    assert_eq!(shown("10.0.2.2", NOW, &[SERVER, STRANGER, STRANGER, AUTHORITY]), untrusted);
}

/// The server's key, as `chains/make.sh` made it.
const SERVER_KEY: [u8; 32] = [7; 32];
const SAID: &[u8] = b"the handshake up to the certificate";

/// What comes of a signature over this, by this key, behind that handshake.
fn proved(
    key: &[u8; 32],
    message: &[u8],
    scheme: SignatureScheme,
) -> (bool, Option<Result<(), Reason>>) {
    let name = ServerName::try_from("10.0.2.2").unwrap();
    let mut verifier = Verifier::new(AUTHORITY, NOW, name, |_| {});
    let mut certificates = CertificateRef::with_context(&[]);
    certificates.add(CertificateEntryRef::X509(SERVER)).unwrap();
    verifier.verify_certificate(&Sha256::new_with_prefix(SAID), certificates).unwrap();
    let key = SigningKey::from_bytes(key.into()).unwrap();
    let signature: DerSignature = p256::ecdsa::signature::Signer::sign(&key, message);
    let (signature_scheme, signature) = (scheme, signature.as_bytes());
    let checked = verifier.verify_signature(CertificateVerifyRef { signature_scheme, signature });
    (checked.is_ok(), verifier.outcome)
}

/// RFC 8446, 4.4.3: 64 spaces, what it is for, a zero, the digest of the handshake.
fn to_sign(spaces: usize, label: &[u8], said: &[u8]) -> Vec<u8> {
    [&vec![b' '; spaces], label, &Sha256::digest(said)[..]].concat()
}

#[test]
fn a_server_proves_that_it_has_the_key_in_this_handshake() {
    const LABEL: &[u8] = b"TLS 1.3, server CertificateVerify\0";
    let scheme = SignatureScheme::EcdsaSecp256r1Sha256;
    let good = to_sign(64, LABEL, SAID);
    assert_eq!(proved(&SERVER_KEY, &good, scheme), (true, Some(Ok(()))));
    let untrusted = (false, Some(Err(Reason::TlsUntrusted)));
    assert_eq!(proved(&[8; 32], &good, scheme), untrusted);
    assert_eq!(proved(&SERVER_KEY, &good, SignatureScheme::EcdsaSecp384r1Sha384), untrusted);
    let client = b"TLS 1.3, client CertificateVerify\0";
    for message in [
        to_sign(64, LABEL, b"another handshake"),
        to_sign(64, client, SAID),
        to_sign(63, LABEL, SAID),
        Sha256::digest(SAID).to_vec(),
    ] {
        assert_eq!(proved(&SERVER_KEY, &message, scheme), untrusted);
    }
}

mod injected {
    //! What somebody on the way, or a server that is broken, sends in between.

    use aes_gcm::aead::{AeadInPlace, KeyInit};

    use super::super::records::{Forged, Records};
    use super::super::suite::{HANDSHAKE_VERSION, OPEN_VERSION, Suite};
    use super::*;

    type Cipher = <Suite as embedded_tls::TlsCipherSuite>::Cipher;

    /// A record as it is on the line.
    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u16).to_be_bytes();
        [&[kind, 3, 3, length[0], length[1]], content].concat()
    }

    /// How a stream passes that arrives in pieces of so many bytes; what TLS gets to see.
    fn passed(is_open: bool, stream: &[u8], piece: usize) -> Result<Vec<u8>, Forged> {
        let mut records = Records::new();
        if is_open {
            records.open();
        }
        let mut bytes = stream.to_vec();
        bytes.chunks_mut(piece).try_for_each(|piece| records.pass(piece))?;
        Ok(bytes)
    }

    const ENCRYPTED_EXTENSIONS: [u8; 6] = [8, 0, 0, 2, 0, 0];
    const CLOSE_NOTIFY: [u8; 2] = [1, 0];

    #[test]
    fn behind_the_handshake_nothing_passes_that_is_not_encrypted() {
        let content = [0xA5; 40];
        for (kind, content) in [
            (22, &ENCRYPTED_EXTENSIONS[..]),
            (21, &CLOSE_NOTIFY),
            (20, &[1]),
            (24, &[0; 3]),
            (0, &[]),
        ] {
            for piece in [1, 2, 5, 7, 1000] {
                let stream = [record(23, &[0xA5; 40]), record(kind, content)].concat();
                assert_eq!(passed(true, &stream, piece), Err(Forged), "{kind}");
            }
        }
        for piece in [1, 2, 5, 7, 1000] {
            let stream = [record(23, &content), record(23, &[]), record(23, &content)].concat();
            let found = passed(true, &stream, piece).unwrap();
            let mut marked = stream.clone();
            for at in [0, 45, 50] {
                marked[at + 1..at + 3].copy_from_slice(&OPEN_VERSION);
            }
            assert_eq!(found, marked);
        }
    }

    #[test]
    fn within_the_handshake_one_hello_comes_in_the_open() {
        let hello = record(22, &[2; 100]);
        let good = [hello.clone(), record(20, &[1]), record(23, &[0; 50])].concat();
        assert_eq!(passed(false, &good, 3), Ok(good.clone()));
        let refused = [hello.clone(), record(21, &[2, 40])].concat();
        assert_eq!(passed(false, &refused, 3), Ok(refused.clone()));
        for kind in [22, 24, 0xFF] {
            let stream = [hello.clone(), record(kind, &ENCRYPTED_EXTENSIONS)].concat();
            assert_eq!(passed(false, &stream, 3), Err(Forged));
        }
        // Nobody but us marks a record.
        let [high, low] = OPEN_VERSION;
        assert_eq!(passed(false, &[23, high, low, 0, 1, 0], 6), Err(Forged));
    }

    /// What is left of a record that the server encrypted, where it may be taken.
    fn decrypted(version: [u8; 2], plain: &[u8]) -> Option<Vec<u8>> {
        let (key, nonce) = ([7; 16].into(), [9; 12].into());
        let length = (plain.len() as u16 + 16).to_be_bytes();
        let header = |version: [u8; 2]| [23, version[0], version[1], length[0], length[1]];
        let mut bytes = plain.to_vec();
        let (cipher, sent) = (Cipher::new(&key), header(HANDSHAKE_VERSION));
        let tag = cipher.encrypt_in_place_detached(&nonce, &sent, &mut bytes).unwrap();
        let seen = header(version);
        cipher.decrypt_in_place_detached(&nonce, &seen, &mut bytes, &tag).ok().map(|()| bytes)
    }

    #[test]
    fn a_record_with_nothing_in_it_is_not_authentic() {
        for version in [HANDSHAKE_VERSION, OPEN_VERSION] {
            for zeros in [0, 1, 5] {
                assert_eq!(decrypted(version, &[0; 5][..zeros]), None);
            }
            // No content, of a kind: that is a record, and the library reads on.
            assert_eq!(decrypted(version, &[23]), Some(vec![23]));
            assert_eq!(decrypted(version, &[1, 2, 23, 0, 0]), Some(vec![1, 2, 23, 0, 0]));
        }
        // Whatever stands there but the mark is what was sent: the filter lets nothing else through.
        assert_eq!(decrypted([3, 1], &[1, 23]), Some(vec![1, 23]));
    }

    #[test]
    fn behind_the_handshake_a_server_has_no_messages_but_tickets() {
        let message = |kind, body: &[u8]| [&[kind, 0, 0, body.len() as u8], body].concat();
        let sent = |messages: &[Vec<u8>]| [messages.concat(), vec![22]].concat();
        let good = sent(&[message(4, &[1; 20]), message(4, &[])]);
        // As if there were none: what the library would make of one is not to be found out.
        let nothing = [&[23][..], &vec![0; good.len() - 1]].concat();
        assert_eq!(decrypted(OPEN_VERSION, &good), Some(nothing));
        for kind in [1, 2, 8, 11, 13, 15, 20, 24, 254] {
            let bad = sent(&[message(4, &[1; 20]), message(kind, &[0, 0])]);
            assert_eq!(decrypted(OPEN_VERSION, &bad), None, "{kind}");
            assert_eq!(decrypted(HANDSHAKE_VERSION, &bad), Some(bad.clone()), "{kind}");
        }
        // One that goes on in the next record, which the library could not put together.
        assert_eq!(decrypted(OPEN_VERSION, &[4, 0, 0, 9, 1, 22]), None);
        assert_eq!(decrypted(OPEN_VERSION, &[4, 0, 22]), None);
        let close = [1, 0, 21];
        assert_eq!(decrypted(OPEN_VERSION, &close), Some(close.to_vec()));
    }
}
