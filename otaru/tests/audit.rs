//! The audit log at the command line, with real processes.

use std::fs;
use std::path::{Path, PathBuf};

use otaru_real_fleet::{CommandOutput, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// A server with a short history.
struct Desk {
    server: Server,
    folder: TempDir,
}

impl Desk {
    async fn start() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::new(binary(), folder.path(), None).unwrap();
        server.start().await.unwrap();
        let desk = Desk { server, folder };
        for role in ["viewer", "publisher", "operator"] {
            let email = format!("{role}@example.org");
            assert_eq!(desk.run(&["user", "add", &email, "--role", role]).await.code, 0);
        }
        desk
    }

    async fn run(&self, arguments: &[&str]) -> CommandOutput {
        let output = Command::new(binary())
            .args(["-o", "json", "--no-input"])
            .args(arguments)
            .env("OTARU_SERVER", self.server.url())
            .env("OTARU_TOKEN_FILE", self.server.admin_token_file())
            .env_remove("OTARU_TOKEN")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        CommandOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments).await;
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
        serde_json::from_str(&output.stdout).unwrap()
    }

    /// What is wrong with the log in these files.
    async fn flaws(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.run(&[&["audit", "verify"], arguments].concat()).await;
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        let flaws = report["flaws"].as_array().unwrap().iter();
        let flaws = flaws.map(|flaw| flaw["detail"].as_str().unwrap().to_owned());
        let flaws: Vec<String> = flaws.collect();
        assert_eq!(output.code, i32::from(!flaws.is_empty()), "{}", output.stderr);
        flaws
    }

    fn write(&self, name: &str, lines: &[&str]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        path
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_otaru"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_listed_exported_and_checked_on_sqlite() {
    let desk = Desk::start().await;
    let listed = desk.json(&["audit", "list", "--action", "user", "--limit", "2"]).await;
    let newest = &listed["items"][0];
    assert_eq!(newest["object"]["name"], "operator@example.org");
    assert_eq!(
        (&newest["address"], &newest["actor"]["kind"]),
        (&"127.0.0.1".into(), &"token".into())
    );
    assert!(newest["user_agent"].as_str().unwrap().starts_with("otaru/"), "{newest}");
    let checked = desk.json(&["audit", "verify"]).await;
    assert_eq!((&checked["whole"], &checked["head"]["sequence"]), (&true.into(), &4.into()));
    assert_eq!(checked["head"]["hash"], newest["hash"]);
    let of_server = desk.json(&["audit", "verify", "--log", "server"]).await;
    assert_eq!((&of_server["log"], &of_server["whole"]), (&"server".into(), &true.into()));

    // A head that was noted is still there when the log has grown.
    let noted = newest["hash"].as_str().unwrap();
    assert_eq!(desk.run(&["user", "add", "ada@example.org", "--role", "owner"]).await.code, 0);
    assert_eq!(desk.flaws(&["--head", noted]).await, Vec::<String>::new());
    let foreign = "0".repeat(64);
    let lost = format!("no entry has the hash {foreign}: the log was cut or written anew");
    assert_eq!(desk.flaws(&["--head", &foreign]).await, [lost]);
}

/// Its own end is what an export of a log cannot tell.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_cut_off_is_found_on_the_server_on_sqlite() {
    let desk = Desk::start().await;
    assert_eq!(desk.flaws(&[]).await, Vec::<String>::new());
    let database = rusqlite::Connection::open(desk.server.folder().join("otaru.db")).unwrap();
    database.execute_batch("DROP TRIGGER audit_entries_never_go").unwrap();
    let cut = "DELETE FROM audit_entries WHERE sequence > 2 AND log <> 'server'";
    assert_eq!(database.execute(cut, []).unwrap(), 2);
    assert_eq!(desk.flaws(&[]).await, ["entries 3 to 4 are missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_checked_without_the_server_on_sqlite() {
    let mut desk = Desk::start().await;
    let exported = desk.run(&["audit", "export"]).await.stdout;
    let behind = desk.run(&["audit", "export", "--after", "3"]).await.stdout;
    desk.server.stop().await.unwrap();
    let lines: Vec<&str> = exported.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(behind.trim_end(), lines[3]);
    let path = |name: &str, lines: &[&str]| desk.write(name, lines).to_str().unwrap().to_owned();

    let (first, second) = (path("a.ndjson", &lines[..3]), path("b.ndjson", &lines[3..]));
    assert_eq!(desk.flaws(&[&first, &second]).await, Vec::<String>::new());
    assert_eq!(desk.flaws(&[&second]).await, ["entries 1 to 3 are missing"]);

    let altered = lines[1].replace("viewer@example.org", "eve@example.org");
    let altered = path("altered.ndjson", &[lines[0], &altered, lines[2], lines[3]]);
    assert_eq!(desk.flaws(&[&altered]).await, ["entry 2 was altered"]);
    let moved = path("moved.ndjson", &[lines[0], lines[2], lines[1], lines[3]]);
    let expected = ["entry 2 is missing", "entry 2 is not where it belongs"];
    assert_eq!(desk.flaws(&[&moved]).await, expected);
    let cut = path("cut.ndjson", &lines[..2]);
    let head: Value = serde_json::from_str(lines[3]).unwrap();
    let flaws = desk.flaws(&[&cut, "--head", head["hash"].as_str().unwrap()]).await;
    assert!(flaws[0].starts_with("no entry has the hash"), "{flaws:?}");
    let missing = desk.run(&["audit", "verify", "no-such-file"]).await;
    assert!(missing.code == 1 && missing.stderr.contains("no-such-file"), "{}", missing.stderr);
}
