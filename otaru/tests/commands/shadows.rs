//! `otaru shadow`: every verb, and what a watcher sees.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::{Desk, binary};

/// How long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// `shadow watch`, until it is dropped.
struct Watcher {
    _program: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    fn of(desk: &Desk, arguments: &[&str]) -> Watcher {
        let mut program = Command::new(binary())
            .args(["shadow", "watch", "clock-01"])
            .args(arguments)
            .env("OTARU_SERVER", desk.server.url())
            .env("OTARU_TOKEN_FILE", desk.server.admin_token_file())
            .env_remove("OTARU_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        Watcher { _program: program, lines }
    }

    async fn next(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("a line in time").unwrap().expect("it goes on")
    }

    /// Makes versions until one is seen: the program needs a while to begin. Returns its line.
    async fn first(&mut self, desk: &Desk, set: &[&str]) -> String {
        let make = async {
            loop {
                desk.done(set).await;
            }
        };
        tokio::select! {
            line = self.next() => line,
            never = make => never,
        }
    }
}

fn version(line: &str) -> u64 {
    serde_json::from_str::<Value>(line).unwrap()["version"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_is_set_read_listed_and_deleted_on_sqlite() {
    let desk = Desk::start().await;
    desk.refused(&["shadow", "get", "clock-01"], 4, "No shadow exists").await;
    desk.refused(&["shadow", "list", "clock-01"], 4, "device_unknown").await;
    desk.refused(&["shadow", "history", "clock-01"], 4, "device_unknown").await;
    desk.refused(&["shadow", "watch", "clock-01"], 4, "device_unknown").await;
    let accepted = desk.done(&["shadow", "set", "clock-01", r#"{"dim":3}"#]).await;
    assert_eq!(accepted["state"], json!({ "desired": { "dim": 3 } }));
    let named = ["--name", "cfg"];
    let set = ["shadow", "set", "clock-01", r#"{"reported":{"on":true}}"#];
    desk.done(&[&set[..], &named].concat()).await;
    let got = desk.done(&[&["shadow", "get", "clock-01"][..], &named].concat()).await;
    assert_eq!(got["state"], json!({ "reported": { "on": true } }));
    let stale = r#"{"state":{"desired":{"dim":4}},"version":7}"#;
    desk.refused(&["shadow", "set", "clock-01", stale], 5, "Version conflict").await;
    desk.refused(&["shadow", "set", "clock-01", "{"], 1, "not JSON").await;
    desk.refused(&["shadow", "get", "clock-01", "--name", "a b"], 2, "shadow name").await;

    let listed = desk.done(&["shadow", "list", "clock-01"]).await;
    let names: Vec<&Value> =
        listed["items"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, [&Value::Null, &json!("cfg")]);
    let table = desk.table(&["shadow", "list", "clock-01"]).await;
    assert!(table.starts_with("NAME       VERSION  CHANGED"), "{table}");
    assert!(table.contains("(classic)  1 ") && table.contains("cfg        1 "), "{table}");

    let deleted = desk.done(&[&["shadow", "delete", "clock-01"][..], &named].concat()).await;
    assert_eq!(deleted["version"], 1);
    let history = desk.done(&[&["shadow", "history", "clock-01"][..], &named].concat()).await;
    let items = history["items"].as_array().unwrap();
    let said: Vec<_> = items.iter().map(|item| (&item["version"], &item["deleted"])).collect();
    assert_eq!(said, [(&json!(2), &json!(true)), (&json!(1), &json!(false))]);
    let table = desk.table(&["shadow", "history", "clock-01", "--limit", "5"]).await;
    assert!(table.contains(r#"  {"desired":{"dim":3}}"#) && table.contains("  token "), "{table}");
    let limited = ["shadow", "watch", "clock-01", "--timeout", "1s"];
    desk.refused(&limited, 6, "gave up after 1s").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_every_version_of_its_shadow_over_a_restart_on_sqlite() {
    let mut desk = Desk::start().await;
    let set = ["shadow", "set", "clock-01", r#"{"reported":{"on":true}}"#];
    let of_named = [&set[..], &["--name", "cfg"]].concat();
    desk.done(&of_named).await;
    let mut watcher = Watcher::of(&desk, &["--name", "cfg", "-o", "ndjson"]);
    let mut seen = version(&watcher.first(&desk, &of_named).await);
    assert!(seen > 1, "only what is new is shown");
    desk.done(&set).await;
    for _ in 0..3 {
        desk.done(&of_named).await;
    }
    let get = ["shadow", "get", "clock-01", "--name", "cfg"];
    let newest = desk.done(&get).await["version"].as_u64().unwrap();
    while seen < newest {
        let next = version(&watcher.next().await);
        assert_eq!(next, seen + 1, "none is left out, none is shown twice");
        seen = next;
    }

    desk.restart().await;
    desk.done(&["shadow", "delete", "clock-01", "--name", "cfg"]).await;
    let line: Value = serde_json::from_str(&watcher.next().await).unwrap();
    assert_eq!((&line["version"], &line["deleted"]), (&json!(seen + 1), &json!(true)));
    assert_eq!(line["by"]["kind"], "token");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_history_a_watcher_sees_documents_on_sqlite() {
    let desk = Desk::start_with("[shadows]\nhistory = 0\n").await;
    let set = ["shadow", "set", "clock-01", r#"{"reported":{"on":true}}"#];
    desk.done(&set).await;
    let mut watcher = Watcher::of(&desk, &["-o", "ndjson"]);
    let line: Value = serde_json::from_str(&watcher.first(&desk, &set).await).unwrap();
    assert_eq!(line["state"], json!({ "reported": { "on": true } }));
    let history = desk.done(&["shadow", "history", "clock-01"]).await;
    assert_eq!(history["items"], json!([]));
}
