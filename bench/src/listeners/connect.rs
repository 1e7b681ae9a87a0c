//! Where a listener connects to, and with what it may.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use otaru_real_fleet::Fleet;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection, encrypted or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// One address, and the token that every listener shows there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    tls: Option<TlsConnector>,
}

impl Target {
    /// An address without anything.
    pub(crate) fn bare(address: SocketAddr) -> Target {
        Target { address, token: String::new(), tls: None }
    }

    /// The server's plain port.
    pub(crate) fn plain(fleet: &Fleet, token: &str) -> Result<Target> {
        let url = fleet.server.url();
        let address = url.strip_prefix("http://").context("the plain port has another scheme")?;
        Ok(Target { address: address.parse()?, token: token.to_owned(), tls: None })
    }

    /// The server's port for people over TLS.
    pub(crate) fn over_tls(fleet: &Fleet, token: &str) -> Result<Target> {
        let bound = std::fs::read_to_string(fleet.server.folder().join("listen.json"))?;
        let bound: Value = serde_json::from_str(&bound)?;
        let address = bound["https"].as_str().with_context(|| format!("no https in {bound}"))?;
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(fleet.devices[0].folder().join("ca.pem"))?;
        roots.add(ca)?;
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Target { address: address.parse()?, token: token.to_owned(), tls: Some(tls) })
    }

    /// A new connection; over TLS it agrees on this protocol alone.
    pub(crate) async fn connect(&self, protocol: &[u8]) -> Result<Box<dyn Wire>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let tls = tls.with_alpn(vec![protocol.to_vec()]);
        Ok(Box::new(tls.connect(self.address.ip().into(), stream).await?))
    }
}
