//! Access keys and the file that seals them, with real processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use otaru_real_fleet::Server;
use serde_json::Value;
use tokio::process::Command;

/// A client command as the administrator, with `-o json`.
async fn done(server: &Server, arguments: &[&str]) -> Value {
    let output = Command::new(binary())
        .args(["-o", "json", "--no-input"])
        .args(arguments)
        .env("OTARU_SERVER", server.url())
        .env("OTARU_TOKEN_FILE", server.admin_token_file())
        .env_remove("OTARU_TOKEN")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_otaru"))
}

async fn key(server: &Server) -> String {
    let create = ["token", "create", "--aws", "--role", "viewer", "--thing", "clock-01"];
    let made = done(server, &create).await;
    assert_eq!(made["secret_access_key"].as_str().unwrap().len(), 40);
    made["access_key_id"].as_str().unwrap().to_owned()
}

async fn is_revoked(server: &Server, id: &str) -> bool {
    let listed = done(server, &["token", "list"]).await;
    let items = listed["items"].as_array().unwrap();
    let found = items.iter().find(|token| token["id"] == id).expect("it is listed");
    assert_eq!((&found["kind"], &found["things"][0]), (&"aws".into(), &"clock-01".into()));
    found["revoked"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_its_secrets_key_says_so_and_can_be_started_again_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(binary(), folder.path(), None).unwrap();
    server.start().await.unwrap();
    let file = server.folder().join("secrets.key");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let first = key(&server).await;
    server.stop().await.unwrap();
    let kept = fs::read_to_string(&file).unwrap();

    fs::remove_file(&file).unwrap();
    let error = server.start().await.unwrap_err().to_string();
    assert!(error.contains(&first) && error.contains("secrets.key is missing"), "{error}");
    assert!(!file.exists(), "no other is made in its place");
    fs::write(&file, "0".repeat(64)).unwrap();
    let error = server.start().await.unwrap_err().to_string();
    assert!(error.contains("secrets.key is not the one"), "{error}");
    fs::write(&file, "no key").unwrap();
    let error = server.start().await.unwrap_err().to_string();
    assert!(error.contains("a secrets key is 64 hex digits"), "{error}");

    fs::write(&file, kept).unwrap();
    server.start().await.unwrap();
    assert!(!is_revoked(&server, &first).await);
    server.stop().await.unwrap();
    fs::remove_file(&file).unwrap();
    server.start_with(&["--revoke-unreadable-keys"]).await.unwrap();
    assert!(is_revoked(&server, &first).await);
    let second = key(&server).await;
    server.stop().await.unwrap();
    server.start().await.unwrap();
    assert!(!is_revoked(&server, &second).await);
}
