//! Ports as clients meet them: certificates, limits and draining.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::routing::get;
use axum::{Extension, Router};
use otaru_doors::DeviceTrust;
use otaru_http::{Listener, Security, Serving};
use otaru_operations::PeerCertificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SerialNumber};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Longer than anything below takes, short enough to see a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate authority of one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root_pem: String,
    root: rustls::pki_types::CertificateDer<'static>,
}

impl Authority {
    fn new() -> Authority {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            provider.install_default().expect("installed once");
        });
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let (root_pem, root) = (root.pem(), root.der().clone());
        Authority { issuer: Issuer::new(params, key), root_pem, root }
    }

    fn config(&self) -> Arc<rustls::ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let verifier = self.trust().verifier(true);
        let config = rustls::ServerConfig::builder().with_client_cert_verifier(verifier);
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    fn trust(&self) -> DeviceTrust {
        DeviceTrust::of(std::slice::from_ref(&self.root))
    }

    /// A device's certificate and key, as PEM.
    fn device(&self, thing: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, thing);
        params.serial_number = Some(SerialNumber::from_slice(&[0x00, 0x0a, 0xbc]));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        format!("{}{}", certificate.pem(), key.serialize_pem())
    }

    fn client(&self) -> reqwest::ClientBuilder {
        let root = reqwest::Certificate::from_pem(self.root_pem.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([root]).timeout(PATIENCE)
    }
}

fn serve(security: Security, router: Router) -> Serving {
    Listener::bind(LOCAL, security).unwrap().serve(router)
}

/// Says who the connection belongs to.
fn whoami() -> Router {
    let answer = |shown: Option<Extension<Arc<PeerCertificate>>>| async move {
        shown.map_or("nobody".to_owned(), |Extension(peer)| {
            format!("{} {}", peer.common_name, peer.serial)
        })
    };
    Router::new().route("/", get(answer))
}

#[tokio::test]
async fn a_device_is_known_by_its_certificate_and_may_come_without() {
    let authority = Authority::new();
    let serving = serve(Security::Devices(authority.config(), authority.trust()), whoami());
    let url = format!("https://localhost:{}/", serving.address().port());

    let identity = reqwest::Identity::from_pem(authority.device("clock-01").as_bytes()).unwrap();
    let device = authority.client().identity(identity).build().unwrap();
    let answer = device.get(&url).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);
    assert_eq!(answer.text().await.unwrap(), "clock-01 abc");

    let nobody = authority.client().build().unwrap();
    assert_eq!(nobody.get(&url).send().await.unwrap().text().await.unwrap(), "nobody");

    let foreign = reqwest::Identity::from_pem(Authority::new().device("clock-01").as_bytes());
    let stranger = authority.client().identity(foreign.unwrap()).build().unwrap();
    stranger.get(&url).send().await.expect_err("its certificate is of another authority");
}

#[tokio::test]
async fn people_get_http_2_and_devices_do_not() {
    let authority = Authority::new();
    let people = serve(Security::People(authority.config()), whoami());
    let client = authority.client().build().unwrap();
    let url = format!("https://localhost:{}/", people.address().port());
    assert_eq!(client.get(&url).send().await.unwrap().version(), reqwest::Version::HTTP_2);
    let http1 = authority.client().http1_only().build().unwrap();
    assert_eq!(http1.get(&url).send().await.unwrap().version(), reqwest::Version::HTTP_11);
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_tls_where_the_port_says_so() {
    let authority = Authority::new();
    let client = authority.client().http1_only().build().unwrap();
    let told = async |insists: bool, host: &'static str| {
        let listener = Listener::bind(LOCAL, Security::People(authority.config())).unwrap();
        let serving = listener.insisting_on_tls(insists).serve(whoami());
        let url = format!("https://localhost:{}/", serving.address().port());
        let answer = client.get(&url).header("host", host).send().await.unwrap();
        let header = answer.headers().get("strict-transport-security");
        header.map(|header| header.to_str().unwrap().to_owned())
    };
    assert_eq!(told(true, "otaru.example").await.as_deref(), Some("max-age=31536000"));
    assert_eq!(told(true, "localhost").await, None);
    assert_eq!(told(false, "otaru.example").await, None);
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_ends_none() {
    let (old, new) = (Authority::new(), Authority::new());
    let serving = serve(Security::People(old.config()), whoami());
    let url = format!("https://localhost:{}/", serving.address().port());
    let stayed = old.client().http1_only().build().unwrap();
    stayed.get(&url).send().await.unwrap().text().await.unwrap();

    serving.tls().expect("a port with TLS").replace(&new.config());

    // It trusts the old authority alone, so this goes over the connection it has.
    stayed.get(&url).send().await.unwrap().text().await.unwrap();
    let late = old.client().build().unwrap();
    late.get(&url).send().await.expect_err("the port has another certificate now");
    let fresh = new.client().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!(fresh.version(), reqwest::Version::HTTP_2);
}

#[tokio::test]
async fn a_client_with_little_room_gets_all_of_a_long_answer() {
    let authority = Authority::new();
    let whole: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
    let body = axum::body::Bytes::from(whole.clone());
    let router = Router::new().route("/", get(move || async move { body }));
    let serving = serve(Security::Devices(authority.config(), authority.trust()), router);
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    let trust = rustls::ClientConfig::builder().with_root_certificates(roots);
    let trust = Arc::new(trust.with_no_client_auth());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(serving.address()).await.unwrap();
    let tls = tokio_rustls::TlsConnector::from(trust);
    let mut line = tls.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    line.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        let mut part = vec![0; 5_000];
        loop {
            match line.read(&mut part).await.unwrap() {
                0 => break,
                read => answer.extend_from_slice(&part[..read]),
            }
            // The server goes on until the socket is full.
            for _ in 0..answer.len() / 5_000 % 50 {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it comes to its end");
    assert!(answer.ends_with(&whole));
}

#[tokio::test]
async fn draining_lets_running_requests_finish() {
    let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel::<()>();
    let (release, is_released) = tokio::sync::watch::channel(false);
    let slow = move || async move {
        started.send(()).expect("the test waits for it");
        let mut is_released = is_released.clone();
        is_released.wait_for(|released| *released).await.expect("the test releases it");
        "finished"
    };
    let serving = serve(Security::Plain, Router::new().route("/slow", get(slow)));
    let url = format!("http://{}/slow", serving.address());
    let request = tokio::spawn(async move { reqwest::get(url).await.unwrap().text().await });
    has_started.recv().await.expect("the handler runs");

    let address = serving.address();
    let drained = tokio::spawn(serving.drain(PATIENCE));
    // The port closes at once, while the request is still running.
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("the port closes");
    release.send_replace(true);

    assert_eq!(request.await.unwrap().unwrap(), "finished");
    drained.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_without_end_is_cut_when_the_limit_is_over() {
    let forever = || async {
        let events = futures::stream::unfold((), |()| async {
            Some((Ok::<_, Infallible>(Event::default().data("tick")), ()))
        });
        Sse::new(events)
    };
    let serving = serve(Security::Plain, Router::new().route("/", get(forever)));
    let mut response = reqwest::get(format!("http://{}/", serving.address())).await.unwrap();
    response.chunk().await.unwrap().expect("the stream runs");

    let drain = serving.drain(Duration::from_millis(50));
    let read = async { while let Ok(Some(_)) = response.chunk().await {} };
    let (drained, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(drain, read) })
        .await
        .expect("the limit ends it");
    drained.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let listener = Listener::bind(LOCAL, Security::Plain).unwrap().with_max_connections(1);
    let serving = listener.serve(whoami());
    let client = reqwest::Client::new();
    let url = format!("http://{}/", serving.address());
    // Kept alive by the client's pool, so it holds the one place.
    client.get(&url).send().await.unwrap().text().await.unwrap();

    let mut second = TcpStream::connect(serving.address()).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, second.read(&mut [0; 1])).await.expect("closed");
    assert!(matches!(read, Ok(0) | Err(_)));

    drop(client);
    let freed = async { while reqwest::get(&url).await.is_err() {} };
    tokio::time::timeout(PATIENCE, freed).await.expect("the place is free again");
}

/// Hands an image out in pieces without an end, and counts what was taken of it.
fn endless(taken: Arc<AtomicUsize>) -> Router {
    let pieces = move || async move {
        let piece = axum::body::Bytes::from_static(&[7; 16 * 1024]);
        let pieces = futures::stream::repeat_with(move || {
            taken.fetch_add(piece.len(), Ordering::Relaxed);
            Ok::<_, Infallible>(piece.clone())
        });
        axum::body::Body::from_stream(pieces)
    };
    Router::new().route("/", get(pieces))
}

/// As over a link that has gone: what was sent is neither acknowledged nor refused.
#[tokio::test]
async fn what_a_client_does_not_acknowledge_is_bounded() {
    let taken = Arc::new(AtomicUsize::new(0));
    let serving = serve(Security::Plain, endless(taken.clone()));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024 * 1024).unwrap();
    let mut stream = socket.connect(serving.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    // The window opens with what is read, far beyond what is kept.
    let (mut read, mut part) = (0, vec![0; 1024 * 1024]);
    while read < 64 * 1024 * 1024 {
        read += stream.read(&mut part).await.unwrap();
    }
    // Drops whatever comes.
    let nothing = SockFilter::new(0x06, 0, 0, 0);
    SockRef::from(&stream).attach_filter(&[nothing]).unwrap();
    while let Ok(more) = stream.try_read(&mut part) {
        read += more;
    }
    // Time goes by when everybody waits: the server has written what it could.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let kept = taken.load(Ordering::Relaxed) - read;
    assert!(kept > 64 * 1024, "{kept} bytes: the window was small");
    // The kernel counts its own overhead, and a piece or two wait for it.
    assert!(kept <= 2 * 512 * 1024 + 64 * 1024, "{kept} bytes");
}

/// Streams for ever, a piece each time the test lets it.
fn downloads(pieces: watch::Receiver<usize>) -> Router {
    let endless = move || {
        let pieces = pieces.clone();
        async move {
            let stream = futures::stream::unfold(0, move |sent| {
                let mut pieces = pieces.clone();
                async move {
                    pieces.wait_for(|wanted| *wanted > sent).await.ok()?;
                    Some((Ok::<_, Infallible>(axum::body::Bytes::from(vec![7; 1_000])), sent + 1))
                }
            });
            axum::body::Body::from_stream(stream)
        }
    };
    whoami().route("/endless", get(endless))
}

/// A device on a connection of its own.
struct Line(tokio_rustls::client::TlsStream<TcpStream>);

impl Line {
    async fn open(config: &Arc<rustls::ClientConfig>, to: SocketAddr) -> Line {
        let stream = TcpStream::connect(to).await.unwrap();
        let tls = tokio_rustls::TlsConnector::from(config.clone());
        Line(tls.connect("localhost".try_into().unwrap(), stream).await.unwrap())
    }

    async fn ask(&mut self, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
    }

    /// Reads until this is there.
    async fn read_until(&mut self, wanted: &[u8]) {
        let mut read = Vec::new();
        let reading = async {
            while !read.windows(wanted.len()).any(|part| part == wanted) {
                let mut part = [0; 1_000];
                let bytes = self.0.read(&mut part).await.unwrap();
                assert_ne!(bytes, 0, "it ended before");
                read.extend_from_slice(&part[..bytes]);
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("it comes");
    }

    /// Reads to the end; what comes before it is thrown away.
    async fn end(mut self) {
        let mut part = [0; 1_000];
        let reading = async { while self.0.read(&mut part).await.is_ok_and(|bytes| bytes > 0) {} };
        tokio::time::timeout(PATIENCE, reading).await.expect("it ends");
    }
}

impl Authority {
    fn device_config(&self, thing: &str) -> Arc<rustls::ClientConfig> {
        let pem = self.device(thing);
        let chain = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let trust = rustls::ClientConfig::builder().with_root_certificates(roots);
        Arc::new(trust.with_client_auth_cert(vec![chain], key).unwrap())
    }
}

#[tokio::test]
async fn what_stands_on_a_certificate_ends_with_it() {
    let authority = Authority::new();
    let trust = authority.trust();
    let (more, pieces) = watch::channel(1);
    let serving = serve(Security::Devices(authority.config(), trust.clone()), downloads(pieces));
    let config = authority.device_config("clock-01");
    let to = serving.address();

    let mut idle = Line::open(&config, to).await;
    idle.ask("/").await;
    idle.read_until(b"clock-01 abc").await;
    let silent = Line::open(&config, to).await;
    let mut waiting = Line::open(&config, to).await;
    waiting.ask("/endless").await;
    waiting.read_until(&[7; 500]).await;
    let mut running = Line::open(&config, to).await;
    running.ask("/endless").await;
    running.read_until(&[7; 500]).await;
    let mut ahead = Line::open(&config, to).await;
    ahead.ask("/endless").await;
    ahead.ask("/").await;
    ahead.read_until(&[7; 500]).await;
    let stranger = authority.client().build().unwrap();
    let url = format!("https://localhost:{}/", to.port());
    assert_eq!(stranger.get(&url).send().await.unwrap().text().await.unwrap(), "nobody");

    let issuer = otaru_doors::fingerprint(&authority.root);
    trust.end("another", "abc");
    trust.end(&issuer, "another");
    idle.ask("/").await;
    idle.read_until(b"clock-01 abc").await;
    trust.end(&issuer, "abc");
    more.send_replace(usize::MAX);

    for line in [idle, silent, waiting, running, ahead] {
        line.end().await;
    }
    assert_eq!(stranger.get(&url).send().await.unwrap().text().await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_tls_session_that_is_resumed_is_judged_anew() {
    let (authority, other) = (Authority::new(), Authority::new());
    let trust = authority.trust();
    trust.set_registered(std::slice::from_ref(&other.root));
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority.issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_client_cert_verifier(trust.verifier(true));
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let serving = serve(Security::Devices(Arc::new(config), trust.clone()), whoami());

    let pem = other.device("clock-01");
    let chain = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    let client = rustls::ClientConfig::builder().with_root_certificates(roots);
    let client = Arc::new(client.with_client_auth_cert(vec![chain], key).unwrap());
    for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let mut line = Line::open(&client, serving.address()).await;
        assert_eq!(line.0.get_ref().1.handshake_kind(), Some(kind));
        line.ask("/").await;
        line.read_until(b"clock-01 abc").await;
    }

    trust.set_registered(&[]);

    let mut line = Line::open(&client, serving.address()).await;
    assert_eq!(line.0.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    // It may be closed already.
    let _ = line.0.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, line.0.read_to_end(&mut answer)).await.expect("it ends");
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn thousands_half_way_in_from_one_address_keep_nobody_out() {
    let authority = Authority::new();
    let serving = serve(Security::Devices(authority.config(), authority.trust()), whoami());
    let mut silent = Vec::new();
    for _ in 0..5_000 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
        silent.push(socket.connect(serving.address()).await.unwrap());
    }

    let mut line = Line::open(&authority.device_config("clock-01"), serving.address()).await;
    line.ask("/").await;
    line.read_until(b"clock-01 abc").await;
    let beyond = tokio::time::timeout(PATIENCE, silent.last_mut().unwrap().read(&mut [0])).await;
    assert!(matches!(beyond.expect("it is closed"), Ok(0) | Err(_)));
}
