//! What the log says of devices that were not provisioned.

use std::fs;
use std::sync::Arc;

use otaru_test_app::each_database;
use serde_json::json;
use tempfile::NamedTempFile;

use super::batch::{Batch, PROVISION, no_token, refused};

/// Clients that were not provisioned, in order, by what is in the log.
fn not_provisioned(log: &NamedTempFile) -> Vec<String> {
    let text = fs::read_to_string(log.path()).unwrap();
    let lines = text.lines().filter(|line| line.contains("Not provisioned"));
    let client =
        |line: &str| line.split_once("client.id=\"")?.1.split('"').next().map(str::to_owned);
    lines.map(|line| client(line).unwrap_or_else(|| panic!("no client: {line}"))).collect()
}

each_database! {
    async fn a_refusal_is_noted_once_for_each_connection(app: TestApp) {
        let log = NamedTempFile::new().unwrap();
        let writer = Arc::new(log.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer);
        let _here = tracing::subscriber::set_default(subscriber.finish());
        let batch = Batch::new(app, json!({})).await;
        let guess = || json!({ "certificateOwnershipToken": "guessed", "parameters": {} });
        for client in ["one", "other", "one"] {
            let mut session = batch.device(client).await;
            for _ in 0..3 {
                assert_eq!(refused(&mut session, PROVISION, guess()).await, no_token());
            }
        }
        assert_eq!(not_provisioned(&log), ["one", "other", "one"]);
    }
}
