//! Mosquitto, as Debian has it: what a bare broker does on this machine, in the same run.

use anyhow::{Context, Result, bail};
use otaru_real_fleet::Program;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::Command;

const START_LIMIT: Duration = Duration::from_secs(10);

/// Debian installs it outside the path of ordinary users.
const PLACES: [&str; 2] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// A running Mosquitto on loopback.
pub(crate) struct Mosquitto {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Mosquitto {
    /// Starts it with no limit on its queues, so that nothing it was given is dropped.
    pub(crate) async fn start(folder: &Path) -> Result<Mosquitto> {
        let binary = PLACES.iter().map(PathBuf::from).find(|place| place.exists());
        let binary = binary.context("mosquitto is missing: install the package of that name")?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let settings = folder.join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 0\n",
            address.port()
        );
        std::fs::write(&settings, text)?;
        let mut command = Command::new(binary);
        command.arg("-c").arg(&settings);
        let program = Program::start(&mut command, &folder.join("mosquitto.log"))?;
        let begin = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if begin.elapsed() > START_LIMIT {
                bail!("mosquitto does not listen after {START_LIMIT:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Mosquitto { program, address })
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.program.stop(Duration::from_secs(10)).await?;
        Ok(())
    }
}
