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

#[test]
fn a_proof_of_another_key_is_none() {
    let name = ServerName::try_from("10.0.2.2").unwrap();
    let mut verifier = Verifier::new(AUTHORITY, NOW, name, |_| {});
    let mut certificates = CertificateRef::with_context(&[]);
    certificates.add(CertificateEntryRef::X509(SERVER)).unwrap();
    verifier.verify_certificate(&Sha256::new(), certificates).unwrap();
    let key = SigningKey::from_bytes(&[7; 32].into()).unwrap();
    let signature: DerSignature = p256::ecdsa::signature::Signer::sign(&key, b"whatever");
    let proof = CertificateVerifyRef {
        signature_scheme: SignatureScheme::EcdsaSecp256r1Sha256,
        signature: signature.as_bytes(),
    };
    assert!(verifier.verify_signature(proof).is_err());
    assert_eq!(verifier.outcome, Some(Err(Reason::TlsUntrusted)));
}
