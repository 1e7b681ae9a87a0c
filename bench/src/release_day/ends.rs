//! How updates end, as the server tells it to whoever listens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Listens to all events of the fleet.
pub(super) struct Ends {
    lines: BufReader<TcpStream>,
    /// How each device's update ended that did.
    of: BTreeMap<String, String>,
}

impl Ends {
    /// Begins to listen, over HTTP/1.0, whose bodies have no frames.
    pub(super) async fn listen(address: SocketAddr, token: &str) -> Result<Ends> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET /api/v1/listen HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut ends = Ends { lines: BufReader::new(stream), of: BTreeMap::new() };
        let status = ends.line().await?;
        ensure!(status.contains(" 200 "), "could not listen: {status}");
        Ok(ends)
    }

    /// Waits until so many devices have ended; answers when the last one did.
    pub(super) async fn wait_for(&mut self, devices: usize) -> Result<Instant> {
        let mut is_end = false;
        while self.of.len() < devices {
            let line = self.line().await?;
            if let Some(kind) = line.strip_prefix("event: ") {
                is_end = kind == "update_finished";
            } else if let Some(body) = line.strip_prefix("data: ").filter(|_| is_end) {
                let update: Value = serde_json::from_str(body).context("an event is JSON")?;
                let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
                let (thing, outcome) = (text(&update["thing"]), text(&update["outcome"]));
                self.of.insert(thing, format!("{outcome} {}", text(&update["reason"]["name"])));
            }
        }
        Ok(Instant::now())
    }

    /// How many ended so.
    pub(super) fn count(&self, outcome: &str) -> usize {
        let is_so = |end: &&String| end.split(' ').next() == Some(outcome);
        self.of.values().filter(is_so).count()
    }

    /// A line for each device whose update ended otherwise.
    pub(super) fn but(&self, outcome: &str) -> Vec<String> {
        let others = self.of.iter().filter(|(_, end)| end.split(' ').next() != Some(outcome));
        others.map(|(thing, end)| format!("{thing}: {end}")).collect()
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.lines.read_line(&mut line).await? == 0 {
            bail!("the server ended the stream of events");
        }
        Ok(line.trim_end().to_owned())
    }
}
