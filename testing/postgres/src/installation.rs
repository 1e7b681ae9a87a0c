//! Finds the server programs and runs them as a user they accept.

use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian keeps the programs of each major version.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// Names another folder with `initdb`, `pg_ctl` and `psql`, for systems that are not Debian.
const BIN_VARIABLE: &str = "OTARU_POSTGRES_BIN";

/// The oldest major version the project supports.
const OLDEST_MAJOR: u32 = 15;

/// The account Debian's package creates; PostgreSQL refuses to run as root.
const SERVER_USER: &str = "postgres";

/// The programs of one installed PostgreSQL.
pub(crate) struct Installation {
    bin: PathBuf,
    /// Identity to run the server as, when this process is root.
    server_user: Option<(u32, u32)>,
}

impl Installation {
    /// Finds the newest installed version.
    pub(crate) fn find() -> Result<Installation> {
        let bin = match std::env::var_os(BIN_VARIABLE) {
            Some(folder) => PathBuf::from(folder),
            None => newest_debian_bin().with_context(|| {
                format!(
                    "PostgreSQL {OLDEST_MAJOR} or newer is not installed (looked in \
                     {DEBIAN_ROOT}/*/bin): run `make setup`, or `apt-get install postgresql`, \
                     or set {BIN_VARIABLE}"
                )
            })?,
        };
        if !bin.join("initdb").exists() {
            bail!("{} has no initdb: install the Debian package postgresql", bin.display());
        }
        let server_user = if current_uid()? == 0 { Some(ids_of(SERVER_USER)?) } else { None };
        Ok(Installation { bin, server_user })
    }

    /// A server program, run as the user that owns the cluster.
    pub(crate) fn server_command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let mut command = match self.server_user {
            Some(_) => {
                let mut command = Command::new("runuser");
                command.args(["-u", SERVER_USER, "--"]).arg(path);
                command
            }
            None => Command::new(path),
        };
        // The working directory of a test may be closed to that user.
        command.current_dir("/");
        command
    }

    /// A client program, run as the user of the test.
    pub(crate) fn client_command(&self, program: &str) -> Command {
        Command::new(self.bin.join(program))
    }

    /// Gives a file or folder to the user that runs the server.
    pub(crate) fn give_to_server(&self, path: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.server_user {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .with_context(|| format!("could not give {} to {SERVER_USER}", path.display()))?;
        }
        Ok(())
    }
}

/// The user this process runs as.
pub(crate) fn current_uid() -> Result<u32> {
    Ok(fs::metadata("/proc/self").context("could not read /proc/self")?.uid())
}

fn newest_debian_bin() -> Option<PathBuf> {
    let majors = fs::read_dir(DEBIAN_ROOT).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let major: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        (major >= OLDEST_MAJOR && bin.join("initdb").exists()).then_some((major, bin))
    });
    majors.max().map(|(_, bin)| bin)
}

/// User and group number of an account, from the account file.
fn ids_of(user: &str) -> Result<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").context("could not read /etc/passwd")?;
    let ids = accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [name, _, uid, gid, ..] if name == user => Some((uid.parse().ok()?, gid.parse().ok()?)),
            _ => None,
        }
    });
    ids.with_context(|| format!("there is no user {user}: install the Debian package postgresql"))
}
