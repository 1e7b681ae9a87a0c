//! A whole TLS handshake in memory, with a clock of the test's choosing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use otaru_authority::IssuedDevice;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// How a handshake ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Both sides agreed; the client's certificate as the server saw it.
    Connected(Option<Vec<u8>>),
    /// The server gave up.
    RefusedByServer(#[expect(dead_code, reason = "printed when a test fails")] rustls::Error),
    /// The client gave up.
    RefusedByClient(#[expect(dead_code, reason = "printed when a test fails")] rustls::Error),
}

#[derive(Debug)]
struct FixedClock(SystemTime);

impl TimeProvider for FixedClock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(since.as_secs())))
    }
}

/// Connects to `name`, trusting `ca_pem`, as `device` if one is given; both sides believe it is `now`.
pub(crate) fn shake_hands(
    server: Arc<ServerConfig>,
    ca_pem: &str,
    device: Option<&IssuedDevice>,
    name: &str,
    now: SystemTime,
) -> Outcome {
    let mut server_config = ServerConfig::clone(&server);
    server_config.time_provider = Arc::new(FixedClock(now));
    let mut server = ServerConnection::new(Arc::new(server_config)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client_config(ca_pem, device, now), name).unwrap();
    while server.is_handshaking() || client.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        if let Err(error) = read(&mut server, &bytes) {
            return Outcome::RefusedByServer(error);
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        if let Err(error) = read(&mut client, &bytes) {
            return Outcome::RefusedByClient(error);
        }
    }
    let peer = server.peer_certificates().and_then(|chain| chain.first());
    Outcome::Connected(peer.map(|certificate| certificate.to_vec()))
}

fn read<Data>(
    side: &mut rustls::ConnectionCommon<Data>,
    mut bytes: &[u8],
) -> Result<(), rustls::Error> {
    while !bytes.is_empty() {
        side.read_tls(&mut bytes).unwrap();
        side.process_new_packets()?;
    }
    Ok(())
}

fn client_config(
    ca_pem: &str,
    device: Option<&IssuedDevice>,
    now: SystemTime,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for trusted in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(trusted.unwrap()).unwrap();
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .unwrap();
    let clock = Arc::new(FixedClock(now));
    let config = ClientConfig::builder_with_details(provider, clock)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_webpki_verifier(verifier);
    Arc::new(match device {
        None => config.with_no_client_auth(),
        Some(device) => {
            let chain = CertificateDer::pem_slice_iter(device.cert_pem.as_bytes());
            let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
            let key = PrivateKeyDer::from_pem_slice(device.key_pem.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    })
}
