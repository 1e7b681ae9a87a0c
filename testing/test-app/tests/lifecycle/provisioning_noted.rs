//! What the log says of devices that were not provisioned.

use std::io;
use std::sync::{Arc, Mutex};

use otaru_test_app::each_database;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::batch::{Batch, PROVISION, no_token, refused};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

impl Log {
    /// Clients that were not provisioned, in order.
    fn not_provisioned(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains("Not provisioned"));
        let client =
            |line: &str| line.split_once("client.id=\"")?.1.split('"').next().map(str::to_owned);
        lines.map(|line| client(line).unwrap_or_else(|| panic!("no client: {line}"))).collect()
    }
}

each_database! {
    async fn a_refusal_is_noted_once_for_each_connection(app: TestApp) {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone());
        let _here = tracing::subscriber::set_default(subscriber.finish());
        let batch = Batch::new(app, json!({})).await;
        let guess = || json!({ "certificateOwnershipToken": "guessed", "parameters": {} });
        for client in ["one", "other", "one"] {
            let mut session = batch.device(client).await;
            for _ in 0..3 {
                assert_eq!(refused(&mut session, PROVISION, guess()).await, no_token());
            }
        }
        assert_eq!(log.not_provisioned(), ["one", "other", "one"]);
    }
}
