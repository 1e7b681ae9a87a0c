//! TLS settings of the HTTPS listeners.
//!
//! The cryptographic provider is named here, so nothing depends on which one
//! the process installed as its default.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Authority, AuthorityError, IssuedCertificate};

impl Authority {
    /// For people and the API: a browser is never asked for a certificate.
    pub fn people_tls(
        &self,
        server: &IssuedCertificate,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        tls(server, WebPkiClientVerifier::no_client_auth())
    }

    /// For devices: asks for a certificate of this authority without requiring
    /// one; a certificate of anyone else ends the handshake.
    pub fn device_tls(
        &self,
        server: &IssuedCertificate,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca_der().clone())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .allow_unauthenticated()
            .build()?;
        tls(server, verifier)
    }
}

fn tls(
    server: &IssuedCertificate,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, AuthorityError> {
    let chain = CertificateDer::pem_slice_iter(server.cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
