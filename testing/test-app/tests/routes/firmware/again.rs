//! Many ranges on one connection: what was found out for the first holds for the next, until
//! something changes.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_test_app::{Database, TestApp, each_database};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const IMAGE: &str = "/firmware/clock/1.0.5.bin";
const REFUSED_LINK: &str = "403 download_link_invalid";

/// A connection that stays.
pub(super) struct Line(pub(super) Box<dyn Wire>);

pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Line {
    async fn to(serving: &otaru_http::Serving) -> Line {
        Line(Box::new(TcpStream::connect(serving.address()).await.expect("it listens")))
    }

    /// Status and body.
    async fn get(&mut self, path: &str, headers: &str) -> (String, Vec<u8>) {
        self.ask(&request(path, headers)).await;
        let (head, body) = self.answer().await;
        (head[9..12].to_owned(), body)
    }

    pub(super) async fn ask(&mut self, request: &str) {
        self.0.write_all(request.as_bytes()).await.expect("it is open");
        self.0.flush().await.expect("it is open");
    }

    /// Head and body of the next answer.
    pub(super) async fn answer(&mut self) -> (String, Vec<u8>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        let named = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = named("content-length: ").expect("a length").parse().expect("a number");
        assert!(named("x-request-id: ").is_some() && named("etag: ").is_some() || length < 1_000);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.expect("all of it");
        (head, body)
    }

    /// What became of asking for this range: its bytes, or the refusal.
    async fn range(&mut self, path: &str, headers: &str, from: usize) -> Result<Vec<u8>, String> {
        let headers = format!("{headers}Range: bytes={from}-{}\r\n", from + 9_999);
        let (status, body) = self.get(path, &headers).await;
        if status == "206" {
            return Ok(body);
        }
        let problem: Value = serde_json::from_slice(&body).expect("a problem");
        Err(format!("{status} {}", problem["code"].as_str().expect("a code")))
    }
}

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: otaru\r\n{headers}\r\n")
}

pub(super) fn range_request(path: &str, from: usize, to: usize) -> String {
    request(path, &format!("Range: bytes={from}-{to}\r\n"))
}

/// The lines of a head that the like of it has too, wherever they stand.
fn said(head: &str) -> Vec<&str> {
    let of_one = |line: &&str| !line.starts_with("date: ") && !line.starts_with("x-request-id: ");
    let mut lines: Vec<&str> = head.lines().filter(of_one).collect();
    lines.sort_unstable();
    lines
}

/// Whether an answer was given without HTTP, which has the date last.
pub(super) fn is_below_http(head: &str) -> bool {
    head.lines().rfind(|line| !line.is_empty()).expect("a line").starts_with("x-request-id: ")
}

/// A server with a release, and a path by which everybody fetches it for ten minutes.
pub(super) async fn linked(app: &TestApp) -> (Vec<u8>, String) {
    app.create_product("clock", "device").await;
    let image = app.publish("clock", "1.0.5", 1).await.image;
    let path = "/api/v1/products/clock/releases/1.0.5/link";
    let link = app.admin().post(path, json!({ "lifetime_s": 600 })).await.expect_status(200);
    let url = link.json()["url"].as_str().expect("a URL").to_owned();
    (image, url[url.find("/firmware/").expect("a path")..].to_owned())
}

async fn token(app: &TestApp, wanted: Value) -> (String, String) {
    let made = app.admin().post("/api/v1/tokens", wanted).await.expect_status(201).json();
    let text = |name: &str| made[name].as_str().expect(name).to_owned();
    (format!("Authorization: Bearer {}\r\n", text("token")), text("id"))
}

async fn yank(app: &TestApp) {
    let path = "/api/v1/products/clock/releases/1.0.5/yank";
    app.admin().post(path, json!({})).await.expect_status(200);
}

each_database! {
    async fn ranges_make_the_image_until_the_release_is_withdrawn(app: TestApp) {
        let (image, link) = linked(&app).await;
        let serving = app.serve_plain();
        let mut line = Line::to(&serving).await;
        for from in (0..image.len()).step_by(10_000) {
            let part = line.range(&link, "", from).await.unwrap();
            assert_eq!(part, image[from..from + 10_000], "from {from}");
        }
        let (status, whole) = line.get(&link, "").await;
        assert!(status == "200" && whole == image);
        let beyond = line.range(&link, "", image.len()).await;
        assert_eq!(beyond.unwrap_err(), "416 range_unsatisfiable");
        yank(&app).await;
        assert_eq!(line.range(&link, "", 0).await.unwrap_err(), "410 release_yanked");
    }

    async fn whatever_comes_between_is_answered_as_on_a_connection_of_its_own(app: TestApp) {
        let (_, link) = linked(&app).await;
        let serving = app.serve_plain();
        let mut line = Line::to(&serving).await;
        let part = |from, to| range_request(&link, from, to);
        let tag = {
            line.ask(&part(0, 9)).await;
            let (head, _) = line.answer().await;
            head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned()
        };
        let with = |headers: String| request(&link, &headers);
        let mut below_http = Vec::new();
        for asked in [
            part(10, 29),
            part(0, 32_767),
            part(0, 32_768),
            part(0, 0),
            part(99_990, 99_999),
            part(99_990, 100_000),
            part(5, 4),
            part(1, 2),
            part(3, 4),
            with(format!("If-Range: {tag}\r\nRange: bytes=0-9\r\n")),
            with(format!("If-Range: {tag}\r\nRange: bytes=10-19\r\n")),
            with("If-Range: \"another\"\r\nRange: bytes=0-9\r\n".to_owned()),
            with("If-Range: \"another\"\r\nRange: bytes=10-19\r\n".to_owned()),
            with("If-Match: \"another\"\r\nRange: bytes=0-9\r\n".to_owned()),
            with("Range: bytes=-10\r\n".to_owned()),
            with("Range: bytes=0-1,5-9\r\n".to_owned()),
            part(100_000, 100_009),
            part(20, 29),
            request("/nowhere", "Range: bytes=0-9\r\n"),
        ] {
            let mut own = Line::to(&serving).await;
            own.ask(&asked).await;
            line.ask(&asked).await;
            let ((head, body), (own_head, own_body)) = (line.answer().await, own.answer().await);
            assert_eq!(said(&head), said(&own_head), "{asked}");
            assert!(body == own_body || head.starts_with("http/1.1 4"), "{asked}");
            below_http.push(is_below_http(&head));
        }
        let expected = [true, true, false, true, true, false, false, false, true];
        assert_eq!(below_http[..9], expected, "{below_http:?}");
    }

    async fn a_range_at_the_end_of_all_numbers_is_refused(app: TestApp) {
        let (_, link) = linked(&app).await;
        let serving = app.serve_plain();
        let mut line = Line::to(&serving).await;
        line.ask(&range_request(&link, 0, 9)).await;
        line.answer().await;
        line.ask(&range_request(&link, usize::MAX - 15, usize::MAX - 5)).await;
        let (head, _) = line.answer().await;
        assert!(head.starts_with("http/1.1 416"), "{head}");
    }

    async fn requests_that_come_together_or_in_parts_are_answered_in_turn(app: TestApp) {
        let (image, link) = linked(&app).await;
        let serving = app.serve_plain();
        let whole = request(&link, "");
        for first in [range_request(&link, 0, 9), range_request(&link, 0, 99_999), whole] {
            let mut line = Line::to(&serving).await;
            line.ask(&first).await;
            line.answer().await;
            line.ask(&first).await;
            let (head, body) = line.answer().await;
            assert!(head.starts_with("http/1.1 20") && image.starts_with(&body), "{head}");
            // All at once, the first answers longer than the kernel takes before one is read.
            let many: Vec<usize> = (0..20).map(|turn| turn * 1_000).collect();
            let parts: Vec<_> =
                many.iter().map(|from| range_request(&link, *from, from + 9_999)).collect();
            line.ask(&format!("{first}{}", parts.concat())).await;
            assert!(image.starts_with(&line.answer().await.1));
            for from in many {
                assert_eq!(line.answer().await.1, image[from..from + 10_000], "from {from}");
            }
            let (begin, end) = parts[7].split_at(40);
            line.ask(begin).await;
            tokio::task::yield_now().await;
            line.ask(end).await;
            assert_eq!(line.answer().await.1, image[7_000..17_000]);
        }
    }

    async fn ranges_over_tls_make_the_image_until_the_release_is_withdrawn(app: TestApp) {
        let (image, link) = linked(&app).await;
        let (serving, trust) = app.serve_tls();
        let tls = TlsConnector::from(std::sync::Arc::new(trust));
        let stream = TcpStream::connect(serving.address()).await.expect("it listens");
        let name = serving.address().ip().into();
        let mut line = Line(Box::new(tls.connect(name, stream).await.expect("it is trusted")));
        for from in (0..image.len()).step_by(10_000) {
            line.ask(&range_request(&link, from, from + 9_999)).await;
            let (head, part) = line.answer().await;
            assert_eq!(part, image[from..from + 10_000], "from {from}");
            assert_eq!(is_below_http(&head), from > 0, "from {from}: {head}");
        }
        yank(&app).await;
        assert_eq!(line.range(&link, "", 0).await.unwrap_err(), "410 release_yanked");
    }

    async fn ranges_make_a_patch_until_the_release_is_withdrawn(app: TestApp) {
        let (image, link) = linked(&app).await;
        app.make_patches().await;
        let link = link.replace(".bin?", ".patch?");
        let serving = app.serve_plain();
        let mut line = Line::to(&serving).await;
        let (_, whole) = line.get(&link, "").await;
        assert_eq!(otaru_patches::apply(b"", &whole).unwrap(), image);
        for from in (0..whole.len()).step_by(10_000) {
            let range = format!("Range: bytes={from}-{}\r\n", from + 9_999);
            line.ask(&request(&link, &range)).await;
            let (head, part) = line.answer().await;
            assert!(head.starts_with("http/1.1 206"), "{head}");
            assert!(head.contains("content-type: application/vnd.otaru.patch\r\n"), "{head}");
            assert_eq!(part, whole[from..whole.len().min(from + 10_000)], "from {from}");
        }
        // The image behind the other name is not the patch.
        let image_link = link.replace(".patch?", ".bin?");
        assert_eq!(line.range(&image_link, "", 0).await.unwrap(), image[..10_000]);
        assert_eq!(line.range(&link, "", 0).await.unwrap(), whole[..10_000]);
        yank(&app).await;
        assert_eq!(line.range(&link, "", 0).await.unwrap_err(), "410 release_yanked");
    }

    async fn a_link_ends_in_the_middle(app: TestApp) {
        let (image, link) = linked(&app).await;
        let serving = app.serve_plain();
        let mut line = Line::to(&serving).await;
        app.advance(Duration::from_millis(599_500));
        assert_eq!(line.range(&link, "", 0).await.unwrap(), image[..10_000]);
        let other = link.replace("1.0.5", "1.0.6");
        assert_eq!(line.range(&other, "", 0).await.unwrap_err(), REFUSED_LINK);
        assert_eq!(line.range(&link, "", 0).await.unwrap(), image[..10_000]);
        app.advance(Duration::from_millis(500));
        assert_eq!(line.range(&link, "", 0).await.unwrap_err(), REFUSED_LINK);
    }

    async fn a_key_is_revoked_in_the_middle(app: TestApp) {
        let (_, link) = linked(&app).await;
        let serving = app.serve_plain();
        let mut line = Line::to(&serving).await;
        line.range(&link, "", 0).await.unwrap();
        let stolen = app.keys().release_key_id();
        let root = app.keys().with_release_key(9).next_root(2, |root| root.revoked.push(stolen));
        let body = json!({ "root": STANDARD.encode(root) });
        app.admin().post("/api/v1/products/clock/roots", body).await.expect_status(201);
        assert_eq!(line.range(&link, "", 0).await.unwrap_err(), "410 release_untrusted");
    }

    async fn a_token_is_revoked_or_ends_in_the_middle(app: TestApp) {
        linked(&app).await;
        let serving = app.serve_plain();
        let mut line = Line::to(&serving).await;
        let (revoked, id) = token(&app, json!({ "role": "viewer" })).await;
        let wanted = json!({ "role": "viewer", "expires_at": "2026-11-23T12:00:10Z" });
        let (ending, _) = token(&app, wanted).await;
        line.range(IMAGE, &revoked, 0).await.unwrap();
        assert_eq!(line.range(IMAGE, "", 0).await.unwrap_err(), "403 download_forbidden");
        line.range(IMAGE, &revoked, 0).await.unwrap();
        app.admin().delete(&format!("/api/v1/tokens/{id}")).await.expect_status(204);
        assert_eq!(line.range(IMAGE, &revoked, 0).await.unwrap_err(), "401 unauthenticated");
        app.advance(Duration::from_millis(9_500));
        line.range(IMAGE, &ending, 0).await.unwrap();
        app.advance(Duration::from_millis(500));
        assert_eq!(line.range(IMAGE, &ending, 0).await.unwrap_err(), "401 unauthenticated");
    }

    async fn a_device_is_revoked_in_the_middle(app: TestApp) {
        let (image, _) = linked(&app).await;
        let device = app.provision("clock-01", "clock").await;
        let serving = app.serve_device(&device);
        let mut line = Line::to(&serving).await;
        assert_eq!(line.range(IMAGE, "", 0).await.unwrap(), image[..10_000]);
        assert_eq!(line.range(IMAGE, "", 10_000).await.unwrap(), image[10_000..20_000]);
        app.admin().post("/api/v1/devices/clock-01/revoke", json!({})).await.expect_status(204);
        assert_eq!(line.range(IMAGE, "", 20_000).await.unwrap_err(), "401 unauthenticated");
    }

    async fn an_update_that_begins_in_the_middle_is_seen(app: TestApp) {
        linked(&app).await;
        let device = app.provision("clock-01", "clock").await;
        let serving = app.serve_device(&device);
        let mut line = Line::to(&serving).await;
        line.range(IMAGE, "", 0).await.unwrap();
        let path = "/api/v1/devices/clock-01/update";
        app.admin().post(path, json!({ "version": "1.0.5" })).await.expect_status(201);
        line.range(IMAGE, "", 0).await.unwrap();
        let update = app.admin().get(path).await.expect_status(200).json();
        assert_eq!(update["phase"], "downloading", "{update}");
    }
}

/// As another server of the same database would: nobody tells this one.
#[tokio::test]
async fn what_another_server_changed_is_seen_within_a_second_on_sqlite() {
    let app = TestApp::start(Database::Sqlite).await;
    let (_, image) = linked(&app).await;
    app.make_patches().await;
    let patch = image.replace(".bin?", ".patch?");
    let serving = app.serve_plain();
    let (mut of_image, mut of_patch) = (Line::to(&serving).await, Line::to(&serving).await);
    let begun = [
        of_image.range(&image, "", 0).await.unwrap(),
        of_patch.range(&patch, "", 0).await.unwrap(),
    ];
    let database = rusqlite::Connection::open(app.image_folder().with_file_name("otaru.db"));
    database.unwrap().execute("UPDATE releases SET yanked_at = 1", ()).unwrap();
    app.advance(Duration::from_millis(999));
    assert_eq!(of_image.range(&image, "", 0).await.unwrap(), begun[0], "it was not asked for");
    assert_eq!(of_patch.range(&patch, "", 0).await.unwrap(), begun[1], "it was not asked for");
    app.advance(Duration::from_millis(1));
    assert_eq!(of_image.range(&image, "", 0).await.unwrap_err(), "410 release_yanked");
    assert_eq!(of_patch.range(&patch, "", 0).await.unwrap_err(), "410 release_yanked");
}
