//! One cluster shared by all test processes of a run.
//!
//! Three lock files in its folder keep order, and the kernel releases them
//! whatever way a process ends: `start.lock` is held while somebody starts,
//! joins or stops; `users.lock` is held shared by every process with databases
//! here; `watch.lock` belongs to the watcher (`watch.sh`).

use crate::installation::{Installation, current_uid};
use anyhow::{Context, Result, bail};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Fixed, because every test process must find it and the server's own user must reach it.
const PARENT: &str = "/tmp";

/// Longer than the pause between two test binaries of `cargo test`.
const IDLE_LIMIT_S: u32 = 60;

/// The superuser of the cluster.
const USER: &str = "otaru";

/// How often a start is tried again when somebody takes the chosen port first.
const START_ATTEMPTS: u32 = 3;

/// Whether a commit waits for the disk.
#[derive(Clone, Copy)]
pub(crate) enum Durability {
    Fast,
    Durable,
}

impl Durability {
    fn name(self) -> &'static str {
        match self {
            Durability::Fast => "fast",
            Durability::Durable => "durable",
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Durability::Fast => "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n",
            Durability::Durable => "fsync = on\nsynchronous_commit = on\n",
        }
    }
}

/// A running cluster this process has joined.
pub(crate) struct Cluster {
    installation: Installation,
    /// `postgres://user:password@host:port`, without a database.
    address: String,
    /// Held until the process ends, so that the watcher leaves the cluster alone.
    _user: File,
}

impl Cluster {
    /// Joins the cluster of this run, starting it when it does not answer. Once per process.
    pub(crate) fn join(durability: Durability) -> Result<&'static Cluster> {
        static FAST: OnceLock<Cluster> = OnceLock::new();
        static DURABLE: OnceLock<Cluster> = OnceLock::new();
        static JOINING: Mutex<()> = Mutex::new(());

        let joined = match durability {
            Durability::Fast => &FAST,
            Durability::Durable => &DURABLE,
        };
        let _one_at_a_time = JOINING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = joined.get() {
            return Ok(cluster);
        }
        let cluster = Cluster::join_or_start(durability)?;
        Ok(joined.get_or_init(|| cluster))
    }

    /// `postgres://user:password@host:port`, without a database.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Runs each statement as the superuser, each in its own transaction.
    pub(crate) fn execute(&self, statements: &[&str]) -> Result<()> {
        execute(&self.installation, &self.address, statements)
    }

    /// As [`Cluster::execute`], in another database than that of the superuser.
    pub(crate) fn execute_in(&self, database: &str, statements: &[&str]) -> Result<()> {
        execute_in(&self.installation, &self.address, database, statements)
    }

    fn join_or_start(durability: Durability) -> Result<Cluster> {
        let installation = Installation::find()?;
        let folder = own_folder(durability)?;
        let start = lock_file(&folder, "start.lock")?;
        start.lock().context("could not lock start.lock")?;
        let user = lock_file(&folder, "users.lock")?;
        user.lock_shared().context("could not lock users.lock")?;

        let address = match answering_address(&installation, &folder) {
            Some(address) => address,
            None => start_cluster(&installation, &folder, durability)?,
        };
        watch(&installation, &folder)?;
        Ok(Cluster { installation, address, _user: user })
    }
}

/// The folder of the cluster, refused when somebody else made it.
fn own_folder(durability: Durability) -> Result<PathBuf> {
    let uid = current_uid()?;
    let folder = Path::new(PARENT).join(format!("otaru-postgres-{uid}-{}", durability.name()));
    // 0711: the server's own user passes through to its data and sees nothing else.
    match DirBuilder::new().mode(0o711).create(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("could not create {}", folder.display()));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != uid {
        bail!("{} exists and does not belong to this user", folder.display());
    }
    Ok(folder)
}

fn lock_file(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("could not open {}", path.display()))
}

/// The address an earlier process wrote, if the cluster behind it still answers.
fn answering_address(installation: &Installation, folder: &Path) -> Option<String> {
    let address = fs::read_to_string(folder.join("address")).ok()?;
    execute(installation, &address, &["SELECT 1"]).ok()?;
    Some(address)
}

fn start_cluster(
    installation: &Installation,
    folder: &Path,
    durability: Durability,
) -> Result<String> {
    let data = folder.join("data");
    stop(installation, &data);
    if data.exists() {
        fs::remove_dir_all(&data).context("could not remove an old cluster")?;
    }
    DirBuilder::new().mode(0o700).create(&data).context("could not create the data folder")?;
    installation.give_to_server(&data)?;

    let password = random_password()?;
    let password_file = private_file(&folder.join("password"), &password)?;
    installation.give_to_server(&password_file)?;
    let output = installation
        .server_command("initdb")
        .args(["--username", USER, "--auth=scram-sha-256"])
        .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"])
        .arg("--pwfile")
        .arg(&password_file)
        .arg(&data)
        .output()
        .context("could not run initdb")?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::remove_file(&password_file)?;

    let port = start_server(installation, &data, durability)?;
    let address = format!("postgres://{USER}:{password}@127.0.0.1:{port}");
    private_file(&folder.join("address"), &address)?;
    Ok(address)
}

/// Starts the server on a free port and waits until it accepts connections.
fn start_server(installation: &Installation, data: &Path, durability: Durability) -> Result<u16> {
    let log = data.join("server.log");
    for _ in 0..START_ATTEMPTS {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
             max_connections = 300\nshared_buffers = 64MB\n{}",
            durability.settings()
        );
        let path = data.join("postgresql.auto.conf");
        fs::write(&path, settings).context("could not write the cluster's settings")?;
        installation.give_to_server(&path)?;
        // The server outlives this process: it must not hold on to a pipe of the test runner.
        let status = installation
            .server_command("pg_ctl")
            .args(["start", "--wait", "--timeout=60", "--silent", "--log"])
            .arg(&log)
            .arg("--pgdata")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("could not run pg_ctl")?;
        if status.success() {
            return Ok(port);
        }
    }
    let log = fs::read_to_string(&log).unwrap_or_default();
    bail!("PostgreSQL did not start:\n{log}");
}

/// Stops whatever still runs on the data folder; nothing running is fine.
fn stop(installation: &Installation, data: &Path) {
    let _ = stop_command(installation, data).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn stop_command(installation: &Installation, data: &Path) -> Command {
    let mut command = installation.server_command("pg_ctl");
    command.args(["stop", "--mode=immediate", "--silent", "--pgdata"]).arg(data);
    command
}

/// Starts the watcher unless one is at work.
fn watch(installation: &Installation, folder: &Path) -> Result<()> {
    match lock_file(folder, "watch.lock")?.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error).context("could not lock watch.lock"),
    }
    let stop = stop_command(installation, &folder.join("data"));
    Command::new("sh")
        .args(["-c", include_str!("watch.sh"), "otaru-postgres-watch"])
        .arg(folder)
        .arg(IDLE_LIMIT_S.to_string())
        .arg(stop.get_program())
        .args(stop.get_args())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of the reach of a Ctrl-C, and of a test runner that ends a test's whole group.
        .process_group(0)
        .spawn()
        .context("could not start the watcher")?;
    Ok(())
}

fn execute(installation: &Installation, address: &str, statements: &[&str]) -> Result<()> {
    execute_in(installation, address, "postgres", statements)
}

fn execute_in(
    installation: &Installation,
    address: &str,
    database: &str,
    statements: &[&str],
) -> Result<()> {
    let mut command = installation.client_command("psql");
    command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname"]);
    command.arg(format!("{address}/{database}"));
    // Without the notice of each database that was not there to drop.
    command.env("PGOPTIONS", "--client-min-messages=warning").stdin(Stdio::null());
    for statement in statements {
        command.args(["--command", statement]);
    }
    let output = command.output().context("could not run psql")?;
    if !output.status.success() {
        bail!("PostgreSQL refused: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Writes a file that only this user reads, whole or not at all.
fn private_file(path: &Path, content: &str) -> Result<PathBuf> {
    let partial = path.with_extension("partial");
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
    file.write_all(content.as_bytes())?;
    fs::rename(&partial, path)?;
    Ok(path.to_owned())
}

/// 128 random bits, so that no other user of the machine gets in.
fn random_password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
