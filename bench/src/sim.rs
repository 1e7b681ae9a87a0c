//! What a simulated device costs: many of them in one process, connected and silent.
//!
//! Memory is the slope of resident memory from few devices to many. What TLS has of it is
//! measured with the same certificates in connections of this process that nobody uses: one
//! session with its settings each, and no cache of sessions to be resumed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, Program, firmware};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_rustls::client::TlsStream;

use crate::figure::Figure;
use crate::machine::{allow_open_files, description, resident_kib};

const FEW: usize = 250;
const MANY: usize = 1_250;
/// Sockets and flash of each device, and both ends of what this process connects.
const FILES_EACH: u64 = 6;
const AT_ONCE: usize = 32;
const IMAGE_BYTES: usize = 300_000;
/// Until what booting and connecting took is given back.
const REST: Duration = Duration::from_secs(5);
/// Registering and booting all of them.
const LIMIT: Duration = Duration::from_secs(600);

const TARGET_KIB: u32 = 100;

/// Measures and prints the figure.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) async fn measure(binary: &Path) -> Result<()> {
    allow_open_files(MANY as u64 * FILES_EACH)?;
    let options = FleetOptions {
        binary,
        database_url: None,
        factory: ("1.0.4", &firmware("1.0.4", IMAGE_BYTES, Behaviour::Pass)),
        devices: 0,
        self_test: Duration::ZERO,
        link_kbps: None,
    };
    let fleet = Fleet::start(&options).await?;
    println!("{}", description(fleet.folder())?);
    let mut resident = Vec::new();
    for size in [FEW, MANY] {
        resident.push(resident_with(&fleet, binary, size).await?);
    }
    let all = slope(&resident);
    let tls = tls_each(&fleet).await?;
    println!("{:50} {:>11} {:>10}", "", "devices", "KiB each");
    println!("{:50} {MANY:>11} {all:>10.1}", "simulated devices, idle, in one process");
    println!("{:50} {MANY:>11} {tls:>10.1}", "of that a TLS session and its settings");
    println!("{}", Figure::memory_each("simulated_device_beyond_tls", all - tls, TARGET_KIB));
    Ok(())
}

/// Resident memory of `otaru sim` once so many devices are online.
async fn resident_with(fleet: &Fleet, binary: &Path, size: usize) -> Result<u64> {
    let log = fleet.folder().join(format!("sim-{size}.log"));
    let image = fleet.folder().join("clock-1.0.4.bin");
    let mut command = Command::new(binary);
    command
        .args(["sim", "--json", "--product", "clock", "--devices", &size.to_string()])
        .arg("--dir")
        .arg(fleet.folder().join("devices"))
        .arg("--image")
        .arg(image)
        .env("OTARU_SERVER", fleet.server.url())
        .env("OTARU_TOKEN_FILE", fleet.server.admin_token_file());
    let mut program = Program::start(&mut command, &log)?;
    let online = async {
        loop {
            if let Some(status) = program.ended()? {
                bail!("the devices ended with {status}: {}", std::fs::read_to_string(&log)?);
            }
            if online_in(&std::fs::read_to_string(&log)?) == Some(size as u64) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(LIMIT, online).await.context("not all devices came online")??;
    tokio::time::sleep(REST).await;
    let resident = resident_kib(program.id().context("the devices run")?)?;
    program.stop(LIMIT).await?;
    Ok(resident)
}

/// How many were online when the process told it last.
fn online_in(log: &str) -> Option<u64> {
    let told: Value = serde_json::from_str(log.lines().last()?).ok()?;
    told["online"].as_u64()
}

async fn tls_each(fleet: &Fleet) -> Result<f64> {
    let address = fleet.server.mqtts();
    let mut connections: Vec<TlsStream<TcpStream>> = Vec::new();
    let mut resident = Vec::new();
    for size in [FEW, MANY] {
        let numbers = connections.len() + 1..=size;
        let connecting = numbers.map(|number| {
            let folder = fleet.folder().join(format!("devices/sim-{number:04}"));
            async move { connect(&folder, address).await }
        });
        let connected = futures::stream::iter(connecting).buffered(AT_ONCE);
        connections.extend(connected.try_collect::<Vec<_>>().await?);
        tokio::time::sleep(REST).await;
        resident.push(resident_kib(std::process::id())?);
    }
    drop(connections);
    Ok(slope(&resident))
}

async fn connect(folder: &Path, address: SocketAddr) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(folder.join("ca.pem"))? {
        roots.add(certificate?)?;
    }
    let chain = CertificateDer::pem_file_iter(folder.join("cert.pem"))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"))?;
    let config = ClientConfig::builder().with_root_certificates(roots);
    let mut config = config.with_client_auth_cert(chain.collect::<Result<_, _>>()?, key)?;
    config.resumption = Resumption::disabled();
    let stream = TcpStream::connect(address).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    Ok(connector.connect("localhost".try_into()?, stream).await?)
}

fn slope(resident: &[u64]) -> f64 {
    (resident[1] as f64 - resident[0] as f64) / (MANY - FEW) as f64
}
