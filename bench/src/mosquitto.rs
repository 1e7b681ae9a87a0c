//! Mosquitto, as Debian has it: what another broker needs on this machine, in the same run.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use otaru_real_fleet::Program;
use tokio::net::TcpStream;
use tokio::process::Command;

const START_LIMIT: Duration = Duration::from_secs(10);

/// A running Mosquitto on loopback.
pub(crate) struct Mosquitto {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Mosquitto {
    /// Starts it with `settings`, lines of its configuration, beside a listener for everybody.
    pub(crate) async fn start(folder: &Path, settings: &str) -> Result<Mosquitto> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let file = folder.join("mosquitto.conf");
        let listener = format!("listener {} 127.0.0.1\nallow_anonymous true\n", address.port());
        std::fs::write(&file, listener + settings)?;
        // Debian keeps it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(&file).env("PATH", path);
        let program = Program::start(&mut command, &folder.join("mosquitto.log"));
        let program = program.context("mosquitto is missing: run `tools/setup.sh bench`")?;
        let mut mosquitto = Mosquitto { program, address };
        mosquitto.wait_until_open().await?;
        Ok(mosquitto)
    }

    async fn wait_until_open(&mut self) -> Result<()> {
        let begin = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.program.ended()? {
                bail!("mosquitto ended with {status}");
            }
            if begin.elapsed() > START_LIMIT {
                bail!("mosquitto does not listen after {START_LIMIT:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> Result<u32> {
        self.program.id().context("mosquitto has ended")
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.program.kill().await
    }
}
