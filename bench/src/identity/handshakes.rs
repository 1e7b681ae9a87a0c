//! Devices that connect all at once: whole handshakes of TLS 1.3 with a certificate each way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use otaru_real_fleet::{Fleet, device_tls};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::process_of;
use crate::machine::processor_time;
use crate::mosquitto::Mosquitto;

const AT_ONCE: usize = 8;
const LONG: Duration = Duration::from_secs(5);

/// A PINGREQ, which nobody may begin with: whoever reads it has believed the certificate, and
/// ends the connection.
const NO_CONNECT: [u8; 2] = [0xC0, 0];

pub(super) struct Handshakes {
    pub(super) per_s: f64,
    pub(super) processor_us: f64,
}

pub(super) struct Both {
    pub(super) ours: Handshakes,
    pub(super) peer: Handshakes,
}

pub(super) async fn measure(fleet: &Fleet) -> Result<Both> {
    let folder = fleet.devices[0].folder();
    let text = |name: &str| std::fs::read_to_string(folder.join(name));
    let config = device_tls(&text("cert.pem")?, &text("key.pem")?, &text("ca.pem")?)?;
    let mut config = Arc::unwrap_or_clone(config);
    // Nobody knows the other from before.
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);

    let ours = storm(fleet.server.mqtts(), process_of(fleet)?, &config).await?;
    let own = TempDir::with_prefix("otaru-bench-")?;
    let authority = fleet.server.folder().join("ca");
    let (mosquitto, address) = Mosquitto::start_secure(own.path(), "", &authority).await?;
    let peer = storm(address, mosquitto.id()?, &config).await?;
    mosquitto.stop().await?;
    Ok(Both { ours, peer })
}

async fn storm(address: SocketAddr, id: u32, config: &Arc<ClientConfig>) -> Result<Handshakes> {
    shake(address, config).await?;
    let (spent, begin) = (processor_time(&[id])?, Instant::now());
    let devices = (0..AT_ONCE).map(|_| async {
        let mut count = 0_u32;
        while begin.elapsed() < LONG {
            shake(address, config).await?;
            count += 1;
        }
        anyhow::Ok(count)
    });
    let counts = futures::future::try_join_all(devices).await?;
    let (took, spent) = (begin.elapsed(), processor_time(&[id])? - spent);
    let count = f64::from(counts.iter().sum::<u32>());
    let (per_s, processor_us) = (count / took.as_secs_f64(), spent.as_secs_f64() * 1e6 / count);
    Ok(Handshakes { per_s, processor_us })
}

/// One whole handshake, up to where the server has checked the device.
async fn shake(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let connector = TlsConnector::from(config.clone());
    let mut secured = connector.connect(ServerName::from(address.ip()), stream).await?;
    secured.write_all(&NO_CONNECT).await?;
    // A connection that is cut is closed as well.
    let _ = secured.read(&mut [0; 16]).await;
    Ok(())
}
