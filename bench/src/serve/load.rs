//! Clients that fetch again and again: as fast as they can, or slowly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use otaru_real_fleet::Fleet;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// What a slow client's kernel takes for it; a microcontroller has less.
const SLOW_BUFFER_BYTES: u32 = 16 * 1024;

/// A slow client reads so often in a second.
const READS_PER_S: usize = 10;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// One file at one address.
#[derive(Clone)]
pub(super) struct Target {
    address: SocketAddr,
    path: String,
    tls: Option<TlsConnector>,
}

impl Target {
    pub(super) fn plain(url: &str, path: &str) -> Result<Target> {
        let address = url.strip_prefix("http://").context("the plain port has another scheme")?;
        Ok(Target { address: address.parse()?, path: path.to_owned(), tls: None })
    }

    pub(super) fn secure(url: &str, path: &str, fleet: &Fleet) -> Result<Target> {
        let address = url.strip_prefix("https://").context("the device port has another scheme")?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(fleet.devices[0].folder().join("ca.pem"))?)?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = Some(TlsConnector::from(Arc::new(config)));
        Ok(Target { address: address.parse()?, path: path.to_owned(), tls })
    }

    /// The same file elsewhere.
    pub(super) fn at(&self, address: SocketAddr) -> Target {
        Target { address, ..self.clone() }
    }

    async fn connect(&self, buffer_bytes: Option<u32>) -> Result<Box<dyn Wire>> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => Ok(Box::new(tls.connect(self.address.ip().into(), stream).await?)),
        }
    }

    fn request(&self, range: Option<(usize, usize)>) -> String {
        let range = range.map(|(from, to)| format!("Range: bytes={from}-{to}\r\n"));
        let range = range.unwrap_or_default();
        format!("GET {} HTTP/1.1\r\nHost: {}\r\n{range}\r\n", self.path, self.address)
    }
}

/// Requests for a file, one after the other on each connection.
pub(super) struct Load {
    target: Target,
    requests: Vec<String>,
}

impl Load {
    /// Whole files, or their ranges of so many bytes in turn.
    pub(super) fn new(target: Target, file_bytes: usize, range: Option<usize>) -> Load {
        let requests = match range {
            None => vec![target.request(None)],
            Some(bytes) => (0..file_bytes / bytes)
                .map(|at| target.request(Some((at * bytes, (at + 1) * bytes - 1))))
                .collect(),
        };
        Load { target, requests }
    }

    /// Asks on so many connections for a while; answers the bytes of the files that arrived.
    pub(super) async fn run(&self, connections: usize, time: Duration) -> Result<u64> {
        let mut wires = JoinSet::new();
        for _ in 0..connections {
            let target = self.target.clone();
            wires.spawn(async move { target.connect(None).await });
        }
        let mut clients = JoinSet::new();
        let end = Instant::now() + time;
        let requests: Arc<[String]> = self.requests.clone().into();
        while let Some(wire) = wires.join_next().await {
            clients.spawn(ask_until(wire??, requests.clone(), end));
        }
        let mut bytes = 0;
        while let Some(client) = clients.join_next().await {
            bytes += client??;
        }
        Ok(bytes)
    }
}

async fn ask_until(mut wire: Box<dyn Wire>, requests: Arc<[String]>, end: Instant) -> Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    for request in requests.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        wire.write_all(request.as_bytes()).await?;
        let (mut left, early) = head(&mut wire, &mut buffer).await?;
        bytes += left;
        left -= early;
        while left > 0 {
            let most = buffer.len().min(left as usize);
            let read = wire.read(&mut buffer[..most]).await?;
            ensure!(read > 0, "the answer ended {left} bytes too early");
            left -= read as u64;
        }
    }
    Ok(bytes)
}

/// Reads a head; answers the length of the body and how much of it came along.
async fn head(wire: &mut Box<dyn Wire>, buffer: &mut [u8]) -> Result<(u64, u64)> {
    let mut filled = 0;
    loop {
        let read = wire.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the connection ended before an answer");
        filled += read;
        if let Some(end) = buffer[..filled].windows(4).position(|end| end == b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
            if !text.starts_with("http/1.1 20") {
                bail!("refused: {text}");
            }
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.context("no length")?.trim().parse()?;
            return Ok((length, (filled - end - 4) as u64));
        }
    }
}

/// Many clients that each read slowly, for as long as they are wanted.
pub(super) struct Crowd {
    clients: Vec<JoinHandle<Result<()>>>,
    bytes: Arc<AtomicU64>,
}

impl Crowd {
    pub(super) async fn start(target: &Target, count: usize, bytes_per_s: usize) -> Result<Crowd> {
        let bytes = Arc::new(AtomicU64::new(0));
        let mut crowd = Crowd { clients: Vec::new(), bytes };
        for _ in 0..count {
            let wire = target.connect(Some(SLOW_BUFFER_BYTES)).await?;
            let (request, bytes) = (target.request(None), crowd.bytes.clone());
            let client = read_slowly(wire, request, bytes_per_s / READS_PER_S, bytes);
            crowd.clients.push(tokio::spawn(client));
        }
        Ok(crowd)
    }

    /// Bytes that arrived so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Ends all; fails where one had ended by itself.
    pub(super) fn end(self) -> Result<()> {
        let ended = self.clients.iter().filter(|client| client.is_finished()).count();
        self.clients.iter().for_each(JoinHandle::abort);
        ensure!(ended == 0, "{ended} clients were cut off");
        Ok(())
    }
}

async fn read_slowly(
    mut wire: Box<dyn Wire>,
    request: String,
    part: usize,
    bytes: Arc<AtomicU64>,
) -> Result<()> {
    let mut buffer = vec![0; part.max(4096)];
    let mut turns = tokio::time::interval(Duration::from_secs(1) / READS_PER_S as u32);
    loop {
        wire.write_all(request.as_bytes()).await?;
        let (length, early) = head(&mut wire, &mut buffer).await?;
        let mut left = length - early;
        while left > 0 {
            turns.tick().await;
            let most = (left as usize).min(part);
            wire.read_exact(&mut buffer[..most]).await?;
            bytes.fetch_add(most as u64, Ordering::Relaxed);
            left -= most as u64;
        }
    }
}
