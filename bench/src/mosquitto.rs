//! Mosquitto, as Debian has it: what another broker needs on this machine, in the same run.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use otaru_real_fleet::Program;
use tokio::net::TcpStream;
use tokio::process::Command;

const START_LIMIT: Duration = Duration::from_secs(10);

/// Nothing that it was given is dropped, and it waits for nobody before it sends.
pub(crate) const UNLIMITED: &str =
    "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n";

/// A running Mosquitto on loopback.
pub(crate) struct Mosquitto {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Mosquitto {
    /// Starts it with `settings`, lines of its configuration, beside a listener for everybody.
    pub(crate) async fn start(folder: &Path, settings: &str) -> Result<Mosquitto> {
        let address = free_address()?;
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

    /// As [`Mosquitto::start`], with another listener for devices that have a certificate of the
    /// authority in that folder, which also has the server's. Answers where that one is.
    pub(crate) async fn start_secure(
        folder: &Path,
        settings: &str,
        authority: &Path,
    ) -> Result<(Mosquitto, SocketAddr)> {
        let address = free_address()?;
        let authority = authority.display();
        // Started by root it would become another user, who may not read the key.
        let secure = format!(
            "user root\nlistener {} 127.0.0.1\ncafile {authority}/ca.pem\n\
             certfile {authority}/server.pem\nkeyfile {authority}/server.key\n\
             require_certificate true\nuse_identity_as_username true\n",
            address.port()
        );
        Ok((Mosquitto::start(folder, &format!("{settings}{secure}")).await?, address))
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

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
