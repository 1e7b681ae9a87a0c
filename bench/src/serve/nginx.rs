//! nginx, as Debian has it, with one worker and the same certificate.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use otaru_real_fleet::{Fleet, Program};
use tokio::net::TcpStream;
use tokio::process::Command;

const START_LIMIT: Duration = Duration::from_secs(10);

/// A running nginx on loopback.
pub(super) struct Nginx {
    program: Program,
    pub(super) plain: SocketAddr,
    pub(super) secure: SocketAddr,
    /// Its version, and that of the OpenSSL that it uses.
    pub(super) version: String,
}

impl Nginx {
    /// Starts it with the image where ours has it.
    pub(super) async fn start(fleet: &Fleet, image: &[u8]) -> Result<Nginx> {
        let folder = fleet.folder().join("nginx");
        let files = folder.join("files/firmware/clock");
        std::fs::create_dir_all(&files)?;
        std::fs::write(files.join("1.0.0.bin"), image)?;
        let (plain, secure) = (free_address()?, free_address()?);
        let file = folder.join("nginx.conf");
        std::fs::write(&file, settings(&folder, &fleet.server.folder().join("ca"), plain, secure))?;
        // Debian keeps it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
        let said = Command::new("nginx").arg("-V").env("PATH", &path).output().await;
        let said = said.context("nginx is missing: run `tools/setup.sh bench`")?;
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        let version = |name: &str| {
            said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned()
        };
        let version = format!("{}, {}", version("nginx version:"), version("built with"));
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-p").arg(&folder).env("PATH", &path);
        let program = Program::start(&mut command, &folder.join("nginx.log"))?;
        let mut nginx = Nginx { program, plain, secure, version };
        nginx.wait_until_open().await?;
        Ok(nginx)
    }

    /// The number of its first process.
    pub(super) fn id(&self) -> Result<u32> {
        self.program.id().context("nginx has ended")
    }

    /// Ends it, and its worker with it.
    pub(super) async fn stop(mut self) -> Result<()> {
        let status = self.program.stop(Duration::from_secs(10)).await?;
        ensure!(status.success(), "nginx ended with {status}");
        Ok(())
    }

    async fn wait_until_open(&mut self) -> Result<()> {
        let begin = Instant::now();
        while TcpStream::connect(self.secure).await.is_err() {
            if let Some(status) = self.program.ended()? {
                bail!("nginx ended with {status}; see nginx.log");
            }
            ensure!(begin.elapsed() < START_LIMIT, "nginx does not listen after {START_LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

/// As its users tune it for files: `sendfile`, no log, connections that stay.
fn settings(
    folder: &std::path::Path,
    authority: &std::path::Path,
    plain: SocketAddr,
    secure: SocketAddr,
) -> String {
    let (folder, authority) = (folder.display(), authority.display());
    format!(
        "daemon off;\nworker_processes 1;\nuser root;\npid {folder}/nginx.pid;\n\
         error_log stderr error;\nevents {{ worker_connections 8192; }}\n\
         http {{\n access_log off;\n sendfile on;\n tcp_nopush on;\n keepalive_requests 10000000;\n\
         default_type application/octet-stream;\n open_file_cache max=100;\n\
         ssl_certificate {authority}/server.pem;\n ssl_certificate_key {authority}/server.key;\n\
         ssl_protocols TLSv1.2 TLSv1.3;\n\
         server {{ listen {plain}; root {folder}/files; }}\n\
         server {{ listen {secure} ssl; root {folder}/files; }}\n}}\n"
    )
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
