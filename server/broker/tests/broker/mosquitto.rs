//! Debian's mosquitto clients: MQTT 3.1.1 as it is found in the field.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::client::PATIENCE;
use crate::room::{Room, shadow, until};

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

fn spawn(command: &mut Command) -> Child {
    let program = command.as_std().get_program().to_owned();
    command.spawn().unwrap_or_else(|error| {
        panic!("{program:?}: {error}; these tests need the Debian package mosquitto-clients")
    })
}

struct Subscriber {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Subscriber {
    /// Starts a `mosquitto_sub` and waits until it has subscribed to `topic`.
    async fn new(room: &Room, filter: &str, topic: &str, more: &[&str]) -> Subscriber {
        let mut command = command("mosquitto_sub");
        command.args(["-t", filter, "-F", "%t %q %r %p", "-q", "1"]).args(more);
        let mut child = spawn(command.stdout(Stdio::piped()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        until("mosquitto_sub subscribes", async || room.broker.has_subscriber(topic).await).await;
        Subscriber { _child: child, lines }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("mosquitto_sub prints in time").unwrap().expect("mosquitto_sub runs")
    }
}

fn plain(room: &Room) -> Vec<String> {
    let address = room.plain();
    vec!["-h".into(), address.ip().to_string(), "-p".into(), address.port().to_string()]
}

fn device(room: &Room, thing: &str) -> Vec<String> {
    let certificate = room.certificate(thing);
    let file = |name: &str, text: &str| {
        let path = room.dir().join(format!("{thing}.{name}"));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cert = file("pem", &certificate.cert_pem);
    let key = file("key", &certificate.key_pem);
    let ca = room.authority.ca_path().to_str().unwrap().to_owned();
    let port = room.mqtts().port().to_string();
    ["-h", "localhost", "-p", &port, "-i", thing, "--cafile", &ca, "--cert", &cert, "--key", &key]
        .map(str::to_owned)
        .to_vec()
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

async fn publish(arguments: &[String], more: &[&str]) -> bool {
    let mut command = command("mosquitto_pub");
    let child = spawn(command.args(arguments).args(more).stderr(Stdio::null()));
    let mut child = child;
    tokio::time::timeout(PATIENCE, child.wait())
        .await
        .expect("mosquitto_pub ends")
        .unwrap()
        .success()
}

#[tokio::test]
async fn backend_asks_and_hears_the_answer() {
    let mut room = Room::new().await;
    let accepted = shadow("clock-01", "update/accepted");
    let plain = plain(&room);
    let filter = shadow("clock-01", "#");
    let mut hearing = Subscriber::new(&room, &filter, &accepted, &borrowed(&plain)).await;

    let update = shadow("clock-01", "update");
    assert!(publish(&plain, &["-q", "1", "-t", &update, "-m", "{\"state\":{}}"]).await);

    assert_eq!(room.heard.request().await.payload, "{\"state\":{}}");
    assert_eq!(hearing.line().await, format!("{update} 1 0 {{\"state\":{{}}}}"));
    room.publish(&accepted, "{}").await;
    assert_eq!(hearing.line().await, format!("{accepted} 1 0 {{}}"));

    // An empty payload is how mosquitto asks for a document.
    assert!(publish(&plain, &["-q", "0", "-t", &shadow("clock-01", "get"), "-n"]).await);
    assert!(room.heard.request().await.payload.is_empty());
}

#[tokio::test]
async fn device_with_its_certificate_hears_its_delta() {
    let room = Room::new().await;
    let delta = shadow("clock-01", "update/delta");
    room.service.open(&delta, 5);
    let arguments = device(&room, "clock-01");

    let mut hearing = Subscriber::new(&room, &delta, &delta, &borrowed(&arguments)).await;

    let payload = String::from_utf8(crate::service::delta_payload(5).to_vec()).unwrap();
    assert_eq!(hearing.line().await, format!("{delta} 1 0 {payload}"));
}

#[tokio::test]
async fn device_publishes_for_itself_only() {
    let mut room = Room::new().await;
    let arguments = device(&room, "clock-01");
    let own = shadow("clock-01", "update");
    assert!(publish(&arguments, &["-q", "1", "-t", &own, "-m", "own"]).await);
    assert_eq!(room.heard.request().await.payload, "own");

    publish(&arguments, &["-q", "1", "-t", &shadow("clock-02", "update"), "-m", "other"]).await;
    assert_eq!(room.broker.counts().refused_publishes, 1);
    assert!(!room.heard.has_request());
}
