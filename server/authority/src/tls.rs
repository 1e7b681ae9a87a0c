//! TLS settings of the ports.
//!
//! The cryptographic provider is named here, so nothing depends on which one
//! the process installed as its default.

use std::sync::Arc;
use std::time::SystemTime;

use otaru_doors::{AuthorityCertificate, DeviceTrust};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Authority, AuthorityError, IssuedCertificate};

impl Authority {
    /// For people and the API: a browser is never asked for a certificate.
    pub fn people_tls(
        &self,
        server: &IssuedCertificate,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        tls(server, WebPkiClientVerifier::no_client_auth(), &[b"h2", b"http/1.1"])
    }

    /// For devices over HTTPS: asks for a certificate that is believed without requiring one; one
    /// that is not ends the handshake.
    pub fn device_tls(
        &self,
        server: &IssuedCertificate,
        trust: &DeviceTrust,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        tls(server, trust.verifier(true), &[b"http/1.1"])
    }

    /// For devices over MQTT: nobody gets in without a certificate that is believed.
    pub fn mqtt_tls(
        &self,
        server: &IssuedCertificate,
        trust: &DeviceTrust,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        // Clients name what they like, and some nothing.
        tls(server, trust.verifier(false), &[])
    }

    /// Believes this authority and the one before it, and whom it is told of later.
    pub fn device_trust(&self) -> DeviceTrust {
        DeviceTrust::of(&self.certificates())
    }

    /// The certificates of this authority and, while it is believed, of the one before, DER.
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.current().certificates().map(|certificate| certificate.der.clone()).collect()
    }

    /// When the authority ends; nothing it signs lasts longer.
    pub fn not_after(&self) -> SystemTime {
        self.current().own.not_after
    }

    /// Whether this key, by the SHA-256 of its public half, is the authority's, or was.
    pub fn has_key(&self, key_sha256: &str) -> bool {
        self.certificates().iter().any(|certificate| {
            AuthorityCertificate::from_der(certificate)
                .is_ok_and(|own| own.key_sha256 == key_sha256)
        })
    }

    /// What certificates that this authority signs from now on have as their issuer.
    pub fn fingerprint(&self) -> String {
        otaru_doors::fingerprint(&self.current().own.der)
    }
}

fn tls(
    server: &IssuedCertificate,
    verifier: Arc<dyn ClientCertVerifier>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, AuthorityError> {
    let chain = CertificateDer::pem_slice_iter(server.cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
