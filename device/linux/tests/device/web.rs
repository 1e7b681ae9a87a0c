//! The download side of a server, with a script of what goes wrong next.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LOCATION, RANGE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use bytes::Bytes;
use futures::StreamExt as _;
use otaru_wire::Digest;

/// What happens to the next request for an image or a patch.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    /// The connection dies after this many bytes of the body.
    CutAfter(usize),
    /// This many bytes of the body come, then none, on a connection that stays.
    StallAfter(usize),
    /// The body comes a byte at a time, without end.
    Trickle,
    /// The whole file comes although a range was asked for.
    IgnoreRange,
    /// So much of the file comes, and no more, although a range was asked for.
    ShortWhole(usize),
    /// Another file of the same name is there now.
    OtherFile(Bytes),
    /// The answer is a redirect.
    Redirect(String),
    /// The answer is a status without content.
    Status(u16),
    /// The byte at this index of the image comes wrong.
    FlipByte(usize),
    /// The image comes, and then more, without end.
    Endless,
}

/// A request for an image or a patch, as far as tests care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<String>,
}

/// The order for a version and a nonce, if there is one.
pub(crate) type Orders = Box<dyn FnMut(&str, &str) -> Option<Vec<u8>> + Send>;

#[derive(Default)]
pub(crate) struct Files {
    pub(crate) images: BTreeMap<String, Bytes>,
    /// By version and digest of the base.
    pub(crate) patches: BTreeMap<(String, String), Bytes>,
    pub(crate) documents: BTreeMap<String, Bytes>,
    /// How many of the next manifests come a byte at a time.
    pub(crate) slow_documents: u32,
    /// How many of the next manifests never end.
    pub(crate) endless_documents: u32,
    /// Makes orders: of the version and nonce asked for.
    pub(crate) orders: Option<Orders>,
    pub(crate) mishaps: VecDeque<Mishap>,
    pub(crate) patch_mishaps: VecDeque<Mishap>,
    pub(crate) asked: Vec<Asked>,
    /// Requests for patches that are there.
    pub(crate) asked_patches: Vec<Asked>,
}

/// A running HTTPS server.
pub(crate) struct Web {
    pub(crate) files: Arc<Mutex<Files>>,
    pub(crate) address: SocketAddr,
    handle: axum_server::Handle<SocketAddr>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl Web {
    /// Serves on a free port.
    pub(crate) async fn start(tls: Arc<rustls::ServerConfig>) -> Web {
        Web::start_at("127.0.0.1:0".parse().unwrap(), tls, Arc::default()).await
    }

    /// Serves these files at an address, such as that of a server that is gone.
    pub(crate) async fn start_at(
        address: SocketAddr,
        tls: Arc<rustls::ServerConfig>,
        files: Arc<Mutex<Files>>,
    ) -> Web {
        let routes = Router::new()
            .route("/firmware/{product}/{file}", get(image_or_manifest))
            .route("/firmware/{product}/root/{number}", get(root))
            .route("/firmware/{product}/timestamp", get(timestamp))
            .with_state(Arc::clone(&files));
        let socket = std::net::TcpListener::bind(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let handle = axum_server::Handle::new();
        let server = axum_server::from_tcp_rustls(socket, RustlsConfig::from_config(tls)).unwrap();
        tokio::spawn(server.handle(handle.clone()).serve(routes.into_make_service()));
        Web { files, address, handle }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(crate) fn then(&self, mishap: Mishap) {
        self.files.lock().unwrap().mishaps.push_back(mishap);
    }

    /// The same for the next request for a patch.
    pub(crate) fn then_patch(&self, mishap: Mishap) {
        self.files.lock().unwrap().patch_mishaps.push_back(mishap);
    }

    pub(crate) fn asked_patches(&self) -> Vec<Asked> {
        self.files.lock().unwrap().asked_patches.clone()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.files.lock().unwrap().asked.clone()
    }
}

type Shared = State<Arc<Mutex<Files>>>;

async fn root(State(files): Shared, Path((_, number)): Path<(String, String)>) -> Response<Body> {
    document(files.lock().unwrap().documents.get(&format!("root/{number}")))
}

async fn timestamp(State(files): Shared) -> Response<Body> {
    document(files.lock().unwrap().documents.get("timestamp"))
}

async fn image_or_manifest(
    State(files): Shared,
    Path((_, file)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response<Body> {
    let mut files = files.lock().unwrap();
    if let Some(version) = file.strip_suffix(".order") {
        let nonce = query.get("nonce").cloned().unwrap_or_default();
        let order = files.orders.as_mut().and_then(|make| make(version, &nonce));
        return document(order.map(Bytes::from).as_ref());
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let asked = Asked { range: text(RANGE), if_range: text(IF_RANGE) };
    if let Some(version) = file.strip_suffix(".patch") {
        assert_eq!(query.get("codec").map(String::as_str), Some("2"));
        let key = (version.to_owned(), query.get("base").cloned().unwrap_or_default());
        let Some(patch) = files.patches.get(&key).cloned() else { return document(None) };
        files.asked_patches.push(asked.clone());
        return serve(patch, asked, files.patch_mishaps.pop_front());
    }
    let Some(version) = file.strip_suffix(".bin") else {
        let found = files.documents.get(&file).cloned();
        if let (Some(found), Some(fewer)) = (&found, files.endless_documents.checked_sub(1)) {
            files.endless_documents = fewer;
            return Response::new(endless(found.clone()));
        }
        return match (found, files.slow_documents.checked_sub(1)) {
            (Some(found), Some(fewer)) => {
                files.slow_documents = fewer;
                Response::new(trickle(found))
            }
            (found, _) => document(found.as_ref()),
        };
    };
    files.asked.push(asked.clone());
    let Some(image) = files.images.get(version).cloned() else { return document(None) };
    let mishap = files.mishaps.pop_front();
    serve(image, asked, mishap)
}

fn document(found: Option<&Bytes>) -> Response<Body> {
    match found {
        Some(bytes) => Response::new(Body::from(bytes.clone())),
        None => status(404),
    }
}

fn status(status: u16) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn serve(mut image: Bytes, asked: Asked, mishap: Option<Mishap>) -> Response<Body> {
    let own = format!("\"{}\"", Digest::of(&image));
    // Of another file than the one that was begun, all of it.
    let mut range = asked.range.filter(|_| asked.if_range.is_none_or(|etag| etag == own));
    match &mishap {
        Some(Mishap::Status(number)) => return status(*number),
        Some(Mishap::Redirect(to)) => {
            let mut answer = status(302);
            answer.headers_mut().insert(LOCATION, HeaderValue::from_str(to).unwrap());
            return answer;
        }
        // The ETag of `If-Range` is another's: the whole new file comes.
        Some(Mishap::OtherFile(other)) => {
            image = other.clone();
            range = None;
        }
        Some(Mishap::IgnoreRange | Mishap::ShortWhole(_) | Mishap::Endless) => range = None,
        Some(Mishap::FlipByte(at)) => {
            let mut bytes = image.to_vec();
            bytes[*at] ^= 1;
            image = bytes.into();
        }
        _ => {}
    }
    let is_part = range.is_some();
    let range = range.unwrap_or_else(|| "bytes=0-".to_owned());
    let (start, last) = range.trim_start_matches("bytes=").split_once('-').unwrap();
    let start = start.parse::<usize>().unwrap();
    if is_part && start >= image.len() {
        return status(416);
    }
    let end = last.parse::<usize>().map_or(image.len(), |last| image.len().min(last + 1));
    let body = image.slice(start..end);
    let mut answer = Response::new(Body::empty());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(ETAG, HeaderValue::from_str(&format!("\"{}\"", Digest::of(&image))).unwrap());
    if is_part {
        let range = format!("bytes {start}-{}/{}", end - 1, image.len());
        headers.insert(CONTENT_RANGE, HeaderValue::from_str(&range).unwrap());
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    *answer.body_mut() = match mishap {
        Some(Mishap::CutAfter(bytes)) => {
            Body::from_stream(parts(body.slice(..bytes)).chain(futures::stream::once(async {
                Err(std::io::ErrorKind::ConnectionReset.into())
            })))
        }
        Some(Mishap::StallAfter(bytes)) => {
            Body::from_stream(parts(body.slice(..bytes)).chain(futures::stream::pending()))
        }
        Some(Mishap::Trickle) => trickle(body),
        Some(Mishap::Endless) => {
            answer.headers_mut().remove(CONTENT_LENGTH);
            endless(body)
        }
        Some(Mishap::ShortWhole(bytes)) => {
            answer.headers_mut().remove(CONTENT_LENGTH);
            Body::from_stream(parts(body.slice(..bytes)))
        }
        _ => Body::from_stream(parts(body)),
    };
    answer
}

/// What was asked for, and then whatever fits into the client's memory.
fn endless(body: Bytes) -> Body {
    let more = futures::stream::repeat_with(|| Ok(Bytes::from_static(&[0xA5; 8000])));
    Body::from_stream(parts(body).chain(more))
}

/// Never silent for long, never done either.
fn trickle(body: Bytes) -> Body {
    let bytes = futures::stream::iter(0..body.len()).then(move |at| {
        let byte = body.slice(at..at + 1);
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            Ok::<_, std::io::Error>(byte)
        }
    });
    Body::from_stream(bytes)
}

/// Small parts, so that a body is never one write.
fn parts(body: Bytes) -> impl futures::Stream<Item = std::io::Result<Bytes>> + use<> {
    let starts = (0..body.len()).step_by(8000);
    let parts: Vec<Bytes> =
        starts.map(|start| body.slice(start..body.len().min(start + 8000))).collect();
    futures::stream::iter(parts.into_iter().map(Ok))
}
