//! Two machines on one cable: network namespaces of this machine, joined by a veth pair.
//!
//! Works without root where user namespaces are allowed, and as root where they are not. What
//! runs on a machine sees its own loopback, the cable, and names from a hosts file of its own.

use anyhow::{Context, Result, bail};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// The address of the first machine.
const SERVER: &str = "10.77.0.1";

/// The address of the second machine.
const HOME: &str = "10.77.0.2";

/// The name both know the first machine by.
const SERVER_NAME: &str = "ota.lan";

/// The cable's plug, on both machines.
const PLUG: &str = "cable";

/// Lives in a namespace and keeps it until its input ends, so that nothing is left behind by a
/// test that was killed.
const HOLDER: &str = "mount --bind \"$0\" /etc/hosts && ip link set lo up && echo up && exec cat";

/// How to get into a namespace of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// As root of a user namespace.
    OwnUsers,
    /// As root.
    Root,
}

/// Two machines and a cable.
#[derive(Debug)]
pub struct Network {
    /// Where the server runs: `10.77.0.1`, known to both as `ota.lan`.
    pub server: Machine,
    /// Where devices and phones are: `10.77.0.2`.
    pub home: Machine,
}

/// One of the two.
#[derive(Debug)]
pub struct Machine {
    folder: PathBuf,
    right: Right,
    id: u32,
    _holder: Child,
    _input: ChildStdin,
}

impl Network {
    /// The address of the server's machine.
    pub const SERVER: &'static str = SERVER;

    /// The name of the server's machine.
    pub const SERVER_NAME: &'static str = SERVER_NAME;

    /// Makes machines and cable; their files are in `folder`.
    ///
    /// # Errors
    /// Where this machine allows no network namespaces, and says so by that name.
    pub async fn start(folder: &Path) -> Result<Network> {
        let hosts = folder.join("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost\n{SERVER} {SERVER_NAME}\n"))?;
        let with_users = Machine::first(folder, &hosts, Right::OwnUsers).await;
        let server = match with_users {
            Ok(server) => server,
            Err(_) => Machine::first(folder, &hosts, Right::Root)
                .await
                .context("this machine allows no network namespaces, neither to users nor here")?,
        };
        let mut command = server.command("unshare");
        let home = command.args(["--net", "--mount"]);
        let home = Machine::start(folder, &hosts, server.right, home).await?;
        let other = home.id.to_string();
        let plug = ["link", "add", PLUG, "type", "veth", "peer", "name", PLUG, "netns", &other];
        server.run("ip", &plug).await?;
        for (machine, address) in [(&server, SERVER), (&home, HOME)] {
            machine.run("ip", &["address", "add", &format!("{address}/24"), "dev", PLUG]).await?;
            machine.run("ip", &["link", "set", PLUG, "up"]).await?;
        }
        Ok(Network { server, home })
    }

    /// Pulls the cable at home.
    pub async fn pull_cable(&self) -> Result<()> {
        self.home.run("ip", &["link", "set", PLUG, "down"]).await
    }

    /// Puts the cable back.
    pub async fn plug_cable(&self) -> Result<()> {
        self.home.run("ip", &["link", "set", PLUG, "up"]).await
    }
}

impl Machine {
    /// A program that runs on this machine.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.enter()).arg(program).kill_on_drop(true);
        command
    }

    /// Runs a program to its end, however it ends.
    pub async fn output(&self, program: &str, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(program);
        let output = command.args(arguments).stdin(Stdio::null()).output().await;
        output.with_context(|| format!("could not run {program} {arguments:?}"))
    }

    /// A program like `binary` that runs on this machine, wherever it is started.
    pub fn wrapper(&self, binary: &Path) -> Result<PathBuf> {
        let wrapper = self.folder.join(format!("otaru-on-{}", self.id));
        let (enter, binary) = (self.enter().join(" "), binary.display());
        // `exec`, so that a signal to it reaches the program.
        fs::write(&wrapper, format!("#!/bin/sh\nexec nsenter {enter} {binary} \"$@\"\n"))?;
        fs::set_permissions(&wrapper, Permissions::from_mode(0o755))?;
        Ok(wrapper)
    }

    async fn first(folder: &Path, hosts: &Path, right: Right) -> Result<Machine> {
        let mut command = Command::new("unshare");
        if right == Right::OwnUsers {
            command.args(["--user", "--map-root-user"]);
        }
        Machine::start(folder, hosts, right, command.args(["--net", "--mount"])).await
    }

    async fn start(
        folder: &Path,
        hosts: &Path,
        right: Right,
        unshare: &mut Command,
    ) -> Result<Machine> {
        let unshare = unshare.args(["sh", "-c", HOLDER]).arg(hosts);
        let unshare = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = unshare.kill_on_drop(true).spawn().context("could not run unshare")?;
        let output = holder.stdout.take().context("unshare has an output")?;
        if BufReader::new(output).lines().next_line().await?.as_deref() != Some("up") {
            let ended = holder.wait_with_output().await?;
            bail!("unshare: {}", String::from_utf8_lossy(&ended.stderr).trim());
        }
        let input = holder.stdin.take().context("unshare has an input")?;
        let id = holder.id().context("unshare runs")?;
        Ok(Machine { folder: folder.to_owned(), right, id, _holder: holder, _input: input })
    }

    /// The arguments of `nsenter`.
    fn enter(&self) -> Vec<String> {
        let users = match self.right {
            Right::OwnUsers => vec!["--user", "--preserve-credentials"],
            Right::Root => Vec::new(),
        };
        let id = self.id.to_string();
        let all = [vec!["--target", &id], users, vec!["--net", "--mount", "--"]].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = self.output(program, arguments).await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{program} {}: {}", arguments.join(" "), said.trim());
        }
        Ok(())
    }
}
