//! The server's certificate, checked to its end, and the device's own.
//!
//! `embedded-tls` hands over what a server sends and believes it. Three things are added: the chain
//! is checked as rustls checks it, up to the device's one authority; a handshake in which the
//! server proved that it has the certificate's key counts, no other, where the library itself would
//! take a server that shows somebody's certificate and leaves the proof out; and what would end
//! the program or a session comes from the server alone ([`records`]), or never arrives ([`suite`]).

use alloc::format;
use alloc::vec::Vec;

use embedded_tls::{
    Certificate, CertificateEntryRef, CertificateRef, CertificateVerifyRef, CryptoProvider,
    SignatureScheme, TlsError, TlsVerifier,
};
use otaru_wire::Reason;
use p256::ecdsa::signature::{SignerMut, Verifier as _};
use p256::ecdsa::{DerSignature, Signature, SigningKey, VerifyingKey};
use rand_core::{CryptoRng, CryptoRngCore, RngCore};
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, UnixTime, alg_id,
};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use crate::{Identity, Net};

mod records;
mod suite;
#[cfg(test)]
mod tests;

pub(crate) use records::{Forged, Records};
pub(crate) use suite::Suite;

/// What a server signs to prove that it has its certificate's key (RFC 8446, 4.4.3).
const PROOF_LABEL: &[u8] = b"TLS 1.3, server CertificateVerify\0";

/// Certificates that a server may show: its own, the authority, and one between them. Each more
/// of the same name is one more signature to check, for whoever answers a connection.
const CHAIN_MAX: usize = 3;

/// What one connection is opened with.
pub(crate) struct Provider<'a> {
    net: &'a Net,
    chance: Chance,
    verifier: Verifier<'a>,
}

impl<'a> Provider<'a> {
    /// For a connection to a host: a name or an address.
    pub(crate) fn new(net: &'a Net, host: &str) -> Option<Provider<'a>> {
        let name = ServerName::try_from(host).ok()?.to_owned();
        let Identity { authority, made_at, .. } = net.identity;
        let verifier = Verifier::new(authority, *made_at, name, net.note);
        Some(Provider { net, chance: Chance(net.random), verifier })
    }

    /// What came of the check: nothing as long as the server has not proved who it is.
    pub(crate) fn outcome(&self) -> Option<Result<(), Reason>> {
        self.verifier.outcome
    }
}

impl CryptoProvider for Provider<'_> {
    type CipherSuite = Suite;
    type Signature = DerSignature;

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.chance
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Suite>, TlsError> {
        Ok(&mut self.verifier)
    }

    fn signer(&mut self) -> Result<(impl SignerMut<DerSignature>, SignatureScheme), TlsError> {
        let key = SigningKey::from_bytes(&self.net.identity.key.into());
        let key = key.map_err(|_| TlsError::InvalidPrivateKey)?;
        Ok((key, SignatureScheme::EcdsaSecp256r1Sha256))
    }

    fn client_cert(&mut self) -> Option<Certificate<impl AsRef<[u8]>>> {
        Some(Certificate::X509(self.net.identity.certificate.as_slice()))
    }
}

struct Verifier<'a> {
    /// The one certificate that is believed without another.
    authority: &'a [u8],
    /// In seconds since 1970.
    made_at: i64,
    name: ServerName<'static>,
    note: fn(&str),
    /// The server's certificate, once its chain was found good.
    leaf: Vec<u8>,
    /// The handshake up to that certificate.
    transcript: Option<Sha256>,
    outcome: Option<Result<(), Reason>>,
}

impl<'a> Verifier<'a> {
    fn new(
        authority: &'a [u8],
        made_at: i64,
        name: ServerName<'static>,
        note: fn(&str),
    ) -> Verifier<'a> {
        let (leaf, transcript, outcome) = (Vec::new(), None, None);
        Verifier { authority, made_at, name, note, leaf, transcript, outcome }
    }

    fn check_chain(&self, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let (leaf, intermediates) = chain.split_first().ok_or(Error::UnknownIssuer)?;
        if chain.len() > CHAIN_MAX {
            return Err(Error::MaximumPathDepthExceeded);
        }
        let authority = CertificateDer::from(self.authority);
        let anchors = [anchor_from_trusted_cert(&authority)?];
        let certificate = EndEntityCert::try_from(leaf)?;
        let verify_at = |passed_s| {
            let time = UnixTime::since_unix_epoch(core::time::Duration::from_secs(passed_s));
            let (known, usage) =
                ([&EcdsaP256 as &dyn SignatureVerificationAlgorithm], KeyUsage::server_auth());
            certificate
                .verify_for_usage(&known, &anchors, intermediates, time, usage, None, None)
                .map(|_| ())
        };
        let mut passed_s = u64::try_from(self.made_at).unwrap_or(0);
        // The time is one that has passed, not the time: what begins later may have begun by now.
        // Each certificate moves it once at most.
        loop {
            match verify_at(passed_s) {
                Err(Error::CertNotValidYet { not_before, .. })
                    if not_before.as_secs() > passed_s =>
                {
                    passed_s = not_before.as_secs();
                }
                verified => break verified?,
            }
        }
        certificate.verify_is_valid_for_subject_name(&self.name)
    }

    fn check_proof(&self, proof: &CertificateVerifyRef<'_>) -> Option<()> {
        let transcript = self.transcript.clone()?;
        if proof.signature_scheme != SignatureScheme::EcdsaSecp256r1Sha256 {
            return None;
        }
        let mut message = Vec::from([b' '; 64]);
        message.extend_from_slice(PROOF_LABEL);
        message.extend_from_slice(&transcript.finalize());
        let leaf = CertificateDer::from(self.leaf.as_slice());
        let certificate = EndEntityCert::try_from(&leaf).ok()?;
        certificate.verify_signature(&EcdsaP256, &message, proof.signature).ok()
    }
}

impl TlsVerifier<Suite> for Verifier<'_> {
    fn set_hostname_verification(&mut self, _: &str) -> Result<(), TlsError> {
        // It is known already, and addresses are checked as well.
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &Sha256,
        certificate: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        let chain: Vec<CertificateDer<'_>> = certificate
            .entries
            .iter()
            .filter_map(|entry| match entry {
                CertificateEntryRef::X509(der) => Some(CertificateDer::from(*der)),
                CertificateEntryRef::RawPublicKey(_) => None,
            })
            .collect();
        // Whatever was proved was proved for another certificate.
        self.outcome = None;
        if let Err(error) = self.check_chain(&chain) {
            (self.note)(&format!("the server's certificate is not believed: {error}"));
            self.outcome = Some(Err(reason_of(&error)));
            return Err(TlsError::InvalidCertificate);
        }
        self.leaf = chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default();
        self.transcript = Some(transcript.clone());
        Ok(())
    }

    fn verify_signature(&mut self, proof: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        let is_proved = self.check_proof(&proof).is_some();
        if !is_proved {
            (self.note)("the server has not the key of its certificate");
        }
        self.outcome = Some(if is_proved { Ok(()) } else { Err(Reason::TlsUntrusted) });
        if is_proved { Ok(()) } else { Err(TlsError::InvalidSignature) }
    }
}

fn reason_of(error: &Error) -> Reason {
    match error {
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => Reason::TlsRootExpired,
        _ => Reason::TlsUntrusted,
    }
}

/// ECDSA on P-256 with SHA-256: what our authority signs with, and its servers.
#[derive(Debug)]
struct EcdsaP256;

impl SignatureVerificationAlgorithm for EcdsaP256 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

/// The chip's generator.
struct Chance(fn(&mut [u8]));

impl RngCore for Chance {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0(bytes);
        Ok(())
    }
}

impl CryptoRng for Chance {}
