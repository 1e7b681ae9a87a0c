//! [`DeviceTrust`] as rustls asks it.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::trust::algorithms;
use crate::{DeviceTrust, Distrust};

impl DeviceTrust {
    /// Asks every client for a certificate; whoever has none gets in only if `may_lack_one`.
    ///
    /// A session that is resumed is not verified again by TLS: whoever accepts connections asks
    /// [`DeviceTrust::judge`] after each handshake.
    pub fn verifier(&self, may_lack_one: bool) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Verifier { trust: self.clone(), may_lack_one })
    }
}

#[derive(Debug)]
struct Verifier {
    trust: DeviceTrust,
    may_lack_one: bool,
}

impl ClientCertVerifier for Verifier {
    /// No hints: which authorities organisations have is nobody's business, and a device has one
    /// certificate to show.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        !self.may_lack_one
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let peer = self.trust.judge_leaf(end_entity, intermediates, now);
        peer.map(|_| ClientCertVerified::assertion()).map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// What the client is told, as an alert.
fn refused(why: Distrust) -> Error {
    let error = match why {
        Distrust::Chain(webpki::Error::UnknownIssuer) => CertificateError::UnknownIssuer,
        Distrust::Chain(webpki::Error::CertExpired { .. }) => CertificateError::Expired,
        Distrust::Chain(webpki::Error::CertNotValidYet { .. }) => CertificateError::NotValidYet,
        Distrust::Chain(webpki::Error::BadDer) => CertificateError::BadEncoding,
        Distrust::WrongUse => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    Error::InvalidCertificate(error)
}
