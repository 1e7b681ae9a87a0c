//! Images that a network for delivery sends, with a certificate of another authority.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Sends one file, whatever is asked for, to whoever asks over TLS.
struct Cdn {
    address: SocketAddr,
    /// Its authority, PEM.
    authority: String,
    asked: Arc<AtomicU32>,
}

impl Cdn {
    async fn start(file: Vec<u8>) -> Cdn {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let leaf = CertificateDer::from(leaf.signed_by(&key, &issuer).unwrap().der().to_vec());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (file, asked) = (Arc::new(file), Arc::new(AtomicU32::new(0)));
        let counted = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), stream, file.clone(), counted.clone()));
            }
        });
        Cdn { address, authority, asked }
    }
}

/// A request for the rest of the file, or for all of it; then the connection ends.
async fn answer(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    file: Arc<Vec<u8>>,
    asked: Arc<AtomicU32>,
) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
    let from = range.and_then(|range| range.split('-').next()?.parse().ok()).unwrap_or(0);
    let part = &file[from..];
    let status = match from {
        0 => "200 OK".to_owned(),
        _ => {
            let (last, all) = (file.len() - 1, file.len());
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{last}/{all}")
        }
    };
    let length = part.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.write_all(part).await;
    let _ = stream.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_fetches_where_the_server_sends_it() {
    let mut site = Site::start().await;
    let cdn = Cdn::start(image("1.0.5")).await;
    let trusted = site.fleet.folder().join("cdn-ca.pem");
    std::fs::write(&trusted, &cdn.authority).unwrap();
    // It has one file and would send it for a patch, too.
    let source = format!(
        "[downloads]\nsource = 'https://localhost:{}/'\n[patches]\nenabled = false\n",
        cdn.address.port()
    );
    assert!(site.fleet.server.stop().await.unwrap().success());
    std::fs::write(site.fleet.server.folder().join("otaru.toml"), source).unwrap();
    site.fleet.server.start().await.unwrap();

    let factory = site.fleet.folder().join("clock-1.0.4.bin");
    let new = ["--product", "clock", "--image", factory.to_str().unwrap()];
    let mut sim = site.sim_that_trusts(&trusted, 1, &new);
    site.until_told(&mut sim, |told| told["online"] == 1).await;
    site.request_update(1).await;
    site.until_told(&mut sim, |told| told["versions"]["1.0.5"] == 1).await;
    assert!(sim.stop(LIMIT).await.unwrap().success());
    let confirmed = |line: &Value| line["thing"] == "sim-0001" && line["last"] == "confirmed";
    assert!(site.lines().iter().any(confirmed), "{:?}", site.lines());
    assert_eq!(cdn.asked.load(Ordering::Relaxed), 1);
}
