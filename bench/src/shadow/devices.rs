//! Devices with certificates of the server's authority.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use otaru_real_fleet::Api;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::client::Client;

/// Devices that are registered or connect at a time.
pub(crate) const AT_ONCE: usize = 32;

/// One device: its name, and the certificate by which it is known.
pub(crate) struct Device {
    pub(crate) thing: String,
    tls: TlsConnector,
}

/// Registers so many devices of a product.
pub(crate) async fn register(api: &Api, product: &str, count: usize) -> Result<Vec<Device>> {
    let register = |nth: usize| async move {
        let thing = format!("load-{nth}");
        let wanted = json!({ "thing": thing, "product": product });
        let answer = api.post("/api/v1/devices", &wanted).await?;
        ensure!(answer.is_acknowledged(), "{thing} was not registered: {answer:?}");
        Device::new(thing, &answer.body)
    };
    futures::stream::iter(0..count).map(register).buffered(AT_ONCE).try_collect().await
}

/// Connects them all, over mutual TLS.
pub(crate) async fn connect(devices: &[Device], address: SocketAddr) -> Result<Vec<Client>> {
    let connecting = devices.iter().map(|device| device.connect(address));
    futures::stream::iter(connecting).buffered(AT_ONCE).try_collect().await
}

impl Device {
    /// `files` is what the server answered.
    fn new(thing: String, files: &Value) -> Result<Device> {
        let file = |name: &str| {
            files[name].as_str().map(str::as_bytes).with_context(|| format!("no {name}"))
        };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(file("ca_pem")?)?)?;
        let chain = CertificateDer::pem_slice_iter(file("cert_pem")?).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(file("key_pem")?)?;
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = config.with_client_auth_cert(chain, key)?;
        // Every connection is a whole handshake, as that of a device after power-on.
        config.resumption = Resumption::disabled();
        Ok(Device { thing, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Connects, with its name as the client id.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(address.ip().into(), stream).await?;
        Client::over(Box::new(stream), &self.thing).await
    }
}
