//! The first administrator's way in, and a person's commands, with real processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use otaru_real_fleet::{CommandOutput, Server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse";

/// A server, and a person at a terminal of their own.
struct Desk {
    server: Server,
    folder: TempDir,
}

impl Desk {
    async fn start() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::new(binary(), folder.path(), None).unwrap();
        server.start().await.unwrap();
        fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        Desk { server, folder }
    }

    /// The code of the newest link that the server printed.
    fn setup_code(&self) -> Option<String> {
        let output = self.server.last_output();
        let link = format!("Set this server up at {}/setup#", self.server.url());
        let line = output.lines().rev().find_map(|line| line.strip_prefix(&link));
        line.map(str::to_owned)
    }

    async fn set_up(&self, code: &str) -> u16 {
        let body = json!({ "code": code, "email": EMAIL, "password": PASSWORD });
        let url = format!("{}/app/setup", self.server.url());
        reqwest::Client::new().post(url).json(&body).send().await.unwrap().status().as_u16()
    }

    async fn run(&self, arguments: &[&str]) -> CommandOutput {
        let output = Command::new(binary())
            .args(["-o", "json", "--no-input"])
            .args(arguments)
            .env("OTARU_SERVER", self.server.url())
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env_remove("OTARU_TOKEN")
            .env_remove("OTARU_TOKEN_FILE")
            .stdin(Stdio::null())
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

    async fn done(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments).await;
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
        serde_json::from_str(&output.stdout).unwrap_or_default()
    }

    async fn log_in(&self) -> Value {
        let password = self.folder.path().join("password");
        let password = password.to_str().unwrap();
        self.done(&["login", "--email", EMAIL, "--password-file", password]).await
    }

    fn profile(&self) -> PathBuf {
        self.folder.path().join("otaru/config.toml")
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_otaru"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_link_is_printed_until_somebody_came_in_by_it_on_sqlite() {
    let mut desk = Desk::start().await;
    let first = desk.setup_code().expect("it was printed");
    desk.server.stop().await.unwrap();
    desk.server.start().await.unwrap();
    let second = desk.setup_code().expect("it was printed again");
    assert_ne!(first, second);
    assert_eq!(desk.set_up(&first).await, 403);
    assert_eq!(desk.set_up(&second).await, 201);
    let log = fs::read_to_string(desk.folder.path().join("server.log")).unwrap();
    assert_eq!(log.matches("/setup#").count(), 2, "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
    desk.server.stop().await.unwrap();
    desk.server.start().await.unwrap();
    let log = fs::read_to_string(desk.folder.path().join("server.log")).unwrap();
    assert_eq!(log.matches("/setup#").count(), 2, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_works_and_signs_out_on_sqlite() {
    let desk = Desk::start().await;
    assert_eq!(desk.run(&["user", "list"]).await.code, 3);
    assert_eq!(desk.set_up(&desk.setup_code().unwrap()).await, 201);

    assert_eq!(desk.log_in().await["user"]["email"], EMAIL);

    assert_eq!(desk.profile().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(desk.done(&["whoami"]).await["role"], "admin");
    let invited = desk.done(&["user", "invite", "bo@example.org", "--role", "viewer"]).await;
    assert!(invited["url"].as_str().unwrap().contains("/invitation#"), "{invited}");
    let listed = desk.done(&["invitation", "list"]).await;
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    desk.done(&["invitation", "revoke", &id]).await;
    desk.done(&["user", "add", "bo@example.org", "--role", "viewer"]).await;
    let bo = desk.done(&["user", "role", "bo@example.org", "operator"]).await;
    assert_eq!(bo["role"], "operator");
    let link = desk.done(&["user", "reset-link", "bo@example.org"]).await;
    assert!(link["url"].as_str().unwrap().contains("/reset#"), "{link}");
    desk.done(&["user", "remove", "bo@example.org"]).await;
    assert_eq!(desk.run(&["user", "role", EMAIL, "viewer"]).await.code, 5);
    let made = ["organisation", "add", "clockworks", "--admin", "cleo@example.org"];
    assert!(desk.done(&made).await["url"].as_str().unwrap().contains("/invitation#"));
    let organisations = desk.done(&["organisation", "list"]).await;
    assert_eq!(organisations["items"][0]["name"], "clockworks");
    let create = ["token", "create", "--role", "viewer", "--expires", "90d", "--label", "ci"];
    assert!(desk.done(&create).await["expires_at"].is_string());

    // Signing in again leaves no token of the first time behind.
    desk.log_in().await;
    let live = async || {
        let listed = desk.done(&["token", "list"]).await;
        let items = listed["items"].as_array().unwrap().clone();
        let live = |token: &&Value| token["label"] == "otaru login" && token["revoked"] == false;
        items.iter().filter(live).count()
    };
    assert_eq!(live().await, 1);
    let kept = fs::read_to_string(desk.profile()).unwrap();
    desk.done(&["logout"]).await;
    assert_eq!(desk.run(&["whoami"]).await.code, 3);
    fs::write(desk.profile(), kept).unwrap();
    assert_eq!(desk.run(&["whoami"]).await.code, 3, "the token ended with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_given_to_login_outlives_it_on_sqlite() {
    let desk = Desk::start().await;
    let file = desk.server.admin_token_file();
    let file = file.to_str().unwrap();
    desk.done(&["--token-file", file, "--profile", "work", "login"]).await;
    assert_eq!(desk.done(&["--profile", "work", "whoami"]).await["role"], "admin");
    assert_eq!(desk.run(&["whoami"]).await.code, 3, "another profile");
    desk.done(&["--profile", "work", "logout"]).await;
    assert_eq!(desk.run(&["--profile", "work", "whoami"]).await.code, 3);
    assert_eq!(desk.done(&["--token-file", file, "whoami"]).await["role"], "admin");
}
