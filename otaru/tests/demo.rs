//! `otaru demo` as somebody plays with it: read what it prints, sign in, tap Install, Ctrl-C.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A running demo, and what somebody at its terminal has read so far.
struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    read: Vec<String>,
}

impl Demo {
    /// One device that is quick enough for a test; temporary folders go to `home`.
    fn start(home: &Path, arguments: &[&str]) -> Demo {
        let mut child = Command::new(env!("CARGO_BIN_EXE_otaru"))
            .args(["demo", "--devices", "1", "--self-test-ms", "100", "--link-kbps", "50000"])
            .args(arguments)
            .env("TMPDIR", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Demo { child, lines, read: Vec::new() }
    }

    /// Reads on until a line contains `wanted`; answers that line.
    async fn until(&mut self, wanted: &str) -> String {
        let reading = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.read.push(line);
                if self.read[self.read.len() - 1].contains(wanted) {
                    return self.read.last().cloned();
                }
            }
            None
        };
        let found = tokio::time::timeout(LIMIT, reading).await;
        let found = found.ok().flatten();
        found.unwrap_or_else(|| panic!("no {wanted:?} in\n{}", self.read.join("\n")))
    }

    /// Signs in as the text under `heading` says; answers the browser and its address.
    async fn sign_in(&mut self, heading: &str) -> (Browser, String) {
        self.until(heading).await;
        let url = self.until("http://").await.trim().to_owned();
        let word = |line: String| line.split_whitespace().next_back().unwrap().to_owned();
        let email = word(self.until("  e-mail ").await);
        let password = word(self.until("  password ").await);
        (Browser::sign_in(&url, &email, &password).await, url)
    }

    /// The processes it has started.
    fn children(&self) -> BTreeSet<u32> {
        let parent = self.child.id().expect("it runs");
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            (parent_of(id)? == parent).then_some(id)
        });
        processes.collect()
    }

    /// Ctrl-C; answers the exit code.
    async fn interrupt(mut self) -> i32 {
        let children = self.children();
        assert_eq!(children.len(), 2, "a server and a device");
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
        let status = tokio::time::timeout(LIMIT, self.child.wait()).await.expect("it ends");
        let left: Vec<u32> = children.into_iter().filter(|id| parent_of(*id).is_some()).collect();
        assert_eq!(left, [0; 0], "processes are left");
        status.unwrap().code().unwrap_or(-1)
    }
}

/// The parent of a process; none if it has ended.
fn parent_of(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in brackets and may hold anything; state and parent follow it.
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace();
    let state = after_name.next()?;
    let parent = after_name.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}

/// A browser with the cookie of somebody who has signed in.
struct Browser {
    http: reqwest::Client,
    origin: String,
    cookie: String,
}

impl Browser {
    async fn sign_in(url: &str, email: &str, password: &str) -> Browser {
        // Both providers of cryptography are compiled in, so that one has to be chosen.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
        let http = reqwest::Client::new();
        let typed = json!({ "email": email, "password": password });
        let answer = http.post(format!("{origin}/app/session")).json(&typed).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{email} signs in");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Browser { http, origin, cookie }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.http.request(method, format!("{}{path}", self.origin));
        let request = request.header(header::COOKIE, &self.cookie).header("origin", &self.origin);
        let request = body.iter().fold(request, |request, body| request.json(body));
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn install(&self, version: &str) {
        let body = json!({ "version": version });
        let (status, body) =
            self.send(Method::POST, "/app/devices/clock-01/update", Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_signs_in_installs_and_ctrl_c_leaves_nothing_on_sqlite() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(home.path(), &[]);
    let (owner, url) = demo.sign_in("The owner's app (1.0.5 waits to be installed)").await;
    assert!(url.ends_with("/devices/clock-01"), "{url}");
    let (status, device) = owner.send(Method::GET, "/app/devices/clock-01", None).await;
    assert_eq!((status, &device["available"]["version"]), (StatusCode::OK, &json!("1.0.5")));
    let (developer, url) = demo.sign_in("The developer's console").await;
    assert!(url.ends_with("/console"), "{url}");
    let (status, devices) = developer.send(Method::GET, "/api/v1/devices", None).await;
    assert_eq!((status, &devices["items"][0]["thing"]), (StatusCode::OK, &json!("clock-01")));
    // Whether the pages are built is another matter, and said if they are not.
    let pages = reqwest::get(format!("{}/", owner.origin)).await.unwrap().status().is_success();
    demo.until("Ctrl-C ends it all; nothing is left behind").await;
    let said = demo.read.iter().any(|line| line.starts_with("The pages are not in this build"));
    assert_eq!(said, !pages);

    owner.install("1.0.5").await;
    demo.until("clock-01: downloading").await;
    demo.until("clock-01: confirmed, runs 1.0.5").await;

    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "the demo's folder");
    assert_eq!(demo.interrupt().await, 0);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_stays_is_gone_on_with_and_a_bad_release_goes_back_on_sqlite() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("demo");
    let data = data.to_str().unwrap();
    let bad = ["--data", data, "--bad-release"];
    let mut demo = Demo::start(home.path(), &bad);
    demo.sign_in("The owner's app (1.0.5 waits to be installed)").await;
    demo.until("demo stays; the same command goes on").await;
    assert_eq!(refused(home.path(), &["--data", data]).await, "another demo runs in");
    assert_eq!(demo.interrupt().await, 0);

    assert_eq!(refused(home.path(), &["--data", data, "--auto"]).await, "holds a demo already");
    let mut demo = Demo::start(home.path(), &["--data", data]);
    demo.until("1 devices online again").await;
    let (owner, _) = demo.sign_in("The owner's app (1.0.5 waits to be installed)").await;
    demo.until("Ctrl-C ends it all").await;
    owner.install("1.0.5").await;
    demo.until("clock-01: rolled_back (self_test_failed), kept 1.0.4").await;
    assert_eq!(demo.interrupt().await, 0);

    std::fs::remove_file(home.path().join("demo/demo.json")).unwrap();
    assert_eq!(refused(home.path(), &["--data", data]).await, "holds server of another run");
}

/// Runs a demo that refuses to begin; answers which of the known reasons it gave.
async fn refused(home: &Path, arguments: &[&str]) -> &'static str {
    let run = Command::new(env!("CARGO_BIN_EXE_otaru"))
        .args(["demo", "--devices", "1"])
        .args(arguments)
        .env("TMPDIR", home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, run).await.expect("it ends by itself").unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    let reasons = ["another demo runs in", "holds a demo already", "holds server of another run"];
    let found = reasons.into_iter().find(|reason| error.contains(reason));
    found.unwrap_or_else(|| panic!("{error}"))
}
