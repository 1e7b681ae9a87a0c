//! A client that asks for many ranges and reads slowly, or not at all.

use std::time::Duration;

use otaru_http::Serving;
use otaru_test_app::{Database, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::again::{Line, is_below_http, linked, range_request};

/// Longer than anything below takes, short enough to see a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of each range.
const RANGE: usize = 30_000;

/// Where the ranges begin that are asked for ahead: together more than the kernel takes.
fn begins() -> impl Iterator<Item = usize> {
    (0..12).map(|turn| turn % 3 * RANGE)
}

async fn little_reader(serving: &Serving) -> Line {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    Line(Box::new(socket.connect(serving.address()).await.unwrap()))
}

/// Asks for all ranges without reading an answer, each when the server has done what it can about
/// the one before: it reads them one by one, until an answer waits for the client.
async fn ask_ahead(line: &mut Line, link: &str) {
    line.ask(&range_request(link, 0, 9)).await;
    line.answer().await;
    // Time goes by when everybody waits.
    tokio::time::pause();
    for from in begins() {
        line.ask(&range_request(link, from, from + RANGE - 1)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_slow_client_gets_all_that_it_asked_for() {
    let app = TestApp::start(Database::Sqlite).await;
    let (image, link) = linked(&app).await;
    let serving = app.serve_plain();
    let mut line = little_reader(&serving).await;
    ask_ahead(&mut line, &link).await;
    // As long as it may take over one answer, and more than between two requests.
    tokio::time::sleep(Duration::from_secs(110)).await;
    tokio::time::resume();
    let mut below_http = Vec::new();
    for from in begins() {
        let (head, body) =
            tokio::time::timeout(PATIENCE, line.answer()).await.expect("it comes to its end");
        assert!(head.starts_with("http/1.1 206"), "{head}");
        assert!(body == image[from..from + RANGE], "from {from}");
        below_http.push(is_below_http(&head));
    }
    assert!(below_http[..2] == [true; 2] && below_http.contains(&false), "{below_http:?}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_ended_in_the_middle_of_an_answer() {
    let app = TestApp::start(Database::Sqlite).await;
    let (_, link) = linked(&app).await;
    let serving = app.serve_plain_with(|listener| {
        listener.with_max_connections(1).with_silence_limit(Duration::from_secs(1))
    });
    let mut line = little_reader(&serving).await;
    ask_ahead(&mut line, &link).await;
    tokio::time::resume();
    let freed = async {
        loop {
            let mut next = TcpStream::connect(serving.address()).await.unwrap();
            let asked = next.write_all(range_request(&link, 0, 9).as_bytes()).await;
            if asked.is_ok() && next.read_u8().await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("its place is free");
}
