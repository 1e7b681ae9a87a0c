use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Longer than any mail takes; a test that waits for one that never comes ends here.
const PATIENCE: Duration = Duration::from_secs(20);

/// Debian's, which has the package `python3-aiosmtpd`.
const PYTHON: &str = "/usr/bin/python3";

/// A real mail server of one test's own; it ends with it.
pub struct Mailbox {
    port: u16,
    messages: Lines<BufReader<ChildStdout>>,
    _server: Child,
}

/// A mail as it came in.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Who it is for.
    pub to: String,
    /// Its head, encoded words and all.
    pub head: String,
    /// Its text, decoded.
    pub text: String,
    /// Whether it came over TLS.
    pub over_tls: bool,
    /// Who the sender signed in as.
    pub user: Option<String>,
}

impl Mailbox {
    /// Starts a server that takes everything.
    pub async fn open() -> Mailbox {
        Mailbox::open_with(&[]).await
    }

    /// Starts a server with the arguments that `mailbox.py` explains.
    pub async fn open_with(arguments: &[&str]) -> Mailbox {
        let mut server = Command::new(PYTHON)
            .args(["-c", include_str!("mailbox.py")])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("/usr/bin/python3 starts");
        let stdout = server.stdout.take().expect("it was piped");
        let mut messages = BufReader::new(stdout).lines();
        let first = messages.next_line().await.expect("it writes");
        let first = first.expect("aiosmtpd runs; `tools/setup.sh test` installs it");
        let port = first.parse().expect("the port comes first");
        Mailbox { port, messages, _server: server }
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next mail.
    pub async fn next(&mut self) -> Mail {
        let line = tokio::time::timeout(PATIENCE, self.messages.next_line());
        let line = line.await.expect("a mail within the time").expect("it writes");
        let mail: Value = serde_json::from_str(&line.expect("it runs")).expect("it writes JSON");
        let content = mail["content"].as_str().expect("a text").replace("\r\n", "\n");
        let (head, body) = content.split_once("\n\n").expect("a head and a body");
        Mail {
            to: mail["to"][0].as_str().expect("somebody").to_owned(),
            head: head.to_owned(),
            text: decoded(head, body),
            over_tls: mail["tls"] == true,
            user: mail["user"].as_str().map(str::to_owned),
        }
    }
}

impl Mail {
    /// What stands after `#` in the link that is alone on its line.
    pub fn code(&self) -> &str {
        let link = self.text.lines().find(|line| line.starts_with("https://"));
        link.and_then(|link| link.split_once('#')).expect("a link with a code").1
    }
}

/// Quoted-printable, base64 and plain are what our mails are sent in.
fn decoded(head: &str, body: &str) -> String {
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: base64") {
        use base64::Engine;
        let body = body.replace('\n', "");
        let bytes = base64::engine::general_purpose::STANDARD.decode(body).expect("base64");
        return String::from_utf8(bytes).expect("UTF-8").replace("\r\n", "\n");
    }
    if head.contains("transfer-encoding: quoted-printable") {
        let mut bytes = Vec::new();
        let mut rest = body.replace("=\n", "").into_bytes().into_iter();
        while let Some(byte) = rest.next() {
            if byte == b'=' {
                let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits"));
                let digits = std::str::from_utf8(&digits).expect("ASCII").to_owned();
                bytes.push(u8::from_str_radix(&digits, 16).expect("hex digits"));
            } else {
                bytes.push(byte);
            }
        }
        return String::from_utf8(bytes).expect("UTF-8");
    }
    body.to_owned()
}
