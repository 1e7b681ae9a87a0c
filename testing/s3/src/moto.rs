//! The server's process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

pub(crate) struct Moto {
    address: String,
    _server: Child,
    /// The server lives until this end is closed, which the kernel does when the process ends.
    _leash: ChildStdin,
}

impl Moto {
    /// The one of this process.
    pub(crate) fn running() -> &'static Moto {
        static RUNNING: OnceLock<Moto> = OnceLock::new();
        RUNNING.get_or_init(Moto::start)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn start() -> Moto {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = Command::new(folder.join("python.sh")).output().expect("python.sh runs");
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(found.status.success(), "moto could not be installed: {said}");
        let python = String::from_utf8(found.stdout).expect("a path");
        let mut server = Command::new(python.trim())
            .arg(folder.join("serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the Python of the environment runs");
        let leash = server.stdin.take().expect("piped");
        let mut address = String::new();
        let output = server.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut address).expect("moto says where it listens");
        assert!(address.starts_with("http://"), "moto did not start: {address:?}");
        Moto { address: address.trim().to_owned(), _server: server, _leash: leash }
    }

    /// S3's CreateBucket.
    pub(crate) fn create_bucket(&self, name: &str) {
        self.put(&format!("/{name}"), b"");
    }

    /// A PUT.
    pub(crate) fn put(&self, path: &str, body: &[u8]) {
        self.ask("PUT", path, body);
    }

    /// A DELETE.
    pub(crate) fn delete(&self, path: &str) {
        self.ask("DELETE", path, b"");
    }

    /// moto believes any signature, and takes no request that has none.
    fn ask(&self, method: &str, path: &str, body: &[u8]) {
        let host = self.address.trim_start_matches("http://");
        let credential = "testing/20260101/us-east-1/s3/aws4_request";
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, \
             Signature=0\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(host).expect("moto listens");
        stream.write_all(&[head.as_bytes(), body].concat()).expect("the request goes out");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("moto answers");
        assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path} was refused: {answer}");
    }
}
