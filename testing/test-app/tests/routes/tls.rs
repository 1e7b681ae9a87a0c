//! Which TLS the ports speak, asked by a client that writes its greeting by hand: no library here
//! knows the old versions any more.

use std::net::SocketAddr;
use std::time::Duration;

use otaru_test_app::{Database, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

const TLS_1_0: [u8; 2] = [3, 1];
const TLS_1_1: [u8; 2] = [3, 2];
const TLS_1_2: [u8; 2] = [3, 3];

/// A suite with a one-time key and authenticated encryption, for certificates like ours.
const ECDHE_ECDSA_AES_128_GCM: u16 = 0xc02b;

/// What is refused even in TLS 1.2: without a one-time key, without authenticated encryption,
/// without encryption, without a certificate.
const WEAK: [(&str, u16); 10] = [
    ("RSA_WITH_NULL_SHA256", 0x003b),
    ("RSA_WITH_RC4_128_SHA", 0x0005),
    ("RSA_WITH_3DES_EDE_CBC_SHA", 0x000a),
    ("RSA_WITH_AES_128_CBC_SHA", 0x002f),
    ("RSA_WITH_AES_128_GCM_SHA256", 0x009c),
    ("DHE_RSA_WITH_AES_128_CBC_SHA", 0x0033),
    ("ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009),
    ("ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xc023),
    ("ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA", 0xc008),
    ("ECDH_anon_WITH_AES_128_CBC_SHA", 0xc018),
];

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// It goes on.
    Hello,
    /// It ends it, with the number of the alert.
    Alert(u8),
    Closed,
}

const HANDSHAKE_FAILURE: Answer = Answer::Alert(40);
const PROTOCOL_VERSION: Answer = Answer::Alert(70);

/// With its length in front, of so many bytes.
fn sized(length_bytes: usize, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&length[4 - length_bytes..], content].concat()
}

/// RFC 5246, 7.4.1.2
fn hello(version: [u8; 2], suites: &[u16]) -> Vec<u8> {
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let extension =
        |kind: u16, content: &[u8]| [kind.to_be_bytes().to_vec(), sized(2, content)].concat();
    let extensions = [
        // P-256, uncompressed points, ECDSA and RSA with SHA-256.
        extension(10, &sized(2, &[0, 23])),
        extension(11, &sized(1, &[0])),
        extension(13, &sized(2, &[4, 3, 4, 1])),
        extension(23, &[]),
    ];
    let body = [
        version.to_vec(),
        vec![7; 32],
        sized(1, &[]),
        sized(2, &suites),
        sized(1, &[0]),
        sized(2, &extensions.concat()),
    ];
    let message = [vec![1], sized(3, &body.concat())].concat();
    [vec![22, 3, 1], sized(2, &message)].concat()
}

async fn ask(port: SocketAddr, greeting: &[u8]) -> Answer {
    let mut socket = TcpStream::connect(port).await.unwrap();
    socket.write_all(greeting).await.unwrap();
    let mut record = [0; 7];
    let read = tokio::time::timeout(PATIENCE, socket.read_exact(&mut record)).await;
    match read.expect("an answer in time") {
        Ok(_) if record[0] == 22 => Answer::Hello,
        Ok(_) if record[0] == 21 => Answer::Alert(record[6]),
        Ok(_) => panic!("what is {record:?}?"),
        Err(_) => Answer::Closed,
    }
}

#[tokio::test]
async fn old_versions_and_weak_suites_are_refused_on_every_port() {
    let app = TestApp::start(Database::Sqlite).await;
    let (people, _) = app.serve_tls();
    let devices = app.serve_devices();
    let mqtt = app.mqtt_addresses().mqtts.unwrap();
    for port in [people.address(), devices.address(), mqtt] {
        let good = [ECDHE_ECDSA_AES_128_GCM];
        assert_eq!(ask(port, &hello(TLS_1_2, &good)).await, Answer::Hello);
        for old in [TLS_1_0, TLS_1_1] {
            let all = [&good[..], &WEAK.map(|(_, suite)| suite)].concat();
            assert_eq!(ask(port, &hello(old, &all)).await, PROTOCOL_VERSION, "{old:?}");
        }
        for (name, suite) in WEAK {
            let answer = ask(port, &hello(TLS_1_2, &[suite])).await;
            assert_eq!(answer, HANDSHAKE_FAILURE, "{name}");
        }
        // With a good one among them that one is taken, whatever the client likes best.
        let mixed = [&WEAK.map(|(_, suite)| suite)[..], &good].concat();
        assert_eq!(ask(port, &hello(TLS_1_2, &mixed)).await, Answer::Hello);
    }
}
