//! QEMU, with the serial port as a list of lines.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Longest wait for a line: far more than any takes.
const LINE_LIMIT: Duration = Duration::from_secs(120);

/// A board: the two banks of its flash, in files of a folder.
#[derive(Debug)]
pub struct Board {
    boot: PathBuf,
    flash: PathBuf,
    folder: tempfile::TempDir,
}

impl Board {
    /// A board with these banks.
    pub fn new(read_only_bank: &[u8], flash_bank: &[u8]) -> Result<Board> {
        let folder = tempfile::tempdir()?;
        let board = Board {
            boot: folder.path().join("boot.img"),
            flash: folder.path().join("flash.img"),
            folder,
        };
        std::fs::write(&board.boot, read_only_bank)?;
        board.write_flash(flash_bank)?;
        Ok(board)
    }

    /// What its flash holds.
    pub fn read_flash(&self) -> Result<Vec<u8>> {
        Ok(std::fs::read(&self.flash)?)
    }

    /// Replaces what its flash holds, while it is off.
    pub fn write_flash(&self, bank: &[u8]) -> Result<()> {
        Ok(std::fs::write(&self.flash, bank)?)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Power off, at whatever it is doing, and on.
    pub fn start_after(&self, running: &mut Qemu) -> Result<Qemu> {
        running.end();
        self.start()
    }

    /// Power on.
    pub fn start(&self) -> Result<Qemu> {
        let mut command = command(&self.boot, &self.flash);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().context("could not run qemu-system-riscv32")?;
        let output = child.stdout.take().context("the serial port is piped")?;
        // For whoever wants to watch: `OTARU_BOARD_LOG=1`.
        let echoes = std::env::var_os("OTARU_BOARD_LOG").is_some();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if echoes {
                    eprintln!("{line}");
                }
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Qemu { child, lines, seen: Vec::new() })
    }
}

/// QEMU with these banks, and the serial port on its output.
pub fn command(boot: &Path, flash: &Path) -> Command {
    let drive = |unit: u8, path: &Path, rest: &str| {
        // A comma in it would begin another option.
        let path = path.display().to_string().replace(',', ",,");
        format!("if=pflash,unit={unit},format=raw,file={path}{rest}")
    };
    let mut command = Command::new("qemu-system-riscv32");
    command
        .args(["-M", "virt", "-m", "8M", "-bios", "none", "-display", "none"])
        .args(["-monitor", "none", "-serial", "stdio", "-action", "watchdog=reset"])
        .args(["-drive", &drive(0, boot, ",readonly=on"), "-drive", &drive(1, flash, "")])
        .args(["-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0"])
        .args(["-device", "virtio-rng-device", "-device", "i6300esb"]);
    command
}

/// A board that is on.
#[derive(Debug)]
pub struct Qemu {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Qemu {
    /// Waits for a line with this code; answers it.
    pub fn until(&mut self, code: &str) -> Result<Value> {
        self.until_line(code, |line| line["code"] == code)
    }

    /// Waits for a line; `what` names it in the error.
    pub fn until_line(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        let begin = Instant::now();
        loop {
            match self.next(LINE_LIMIT.saturating_sub(begin.elapsed()))? {
                Some(line) if is_it(&line) => return Ok(line),
                Some(_) => {}
                None => bail!("no {what}:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Waits for the next line; none within this time.
    pub fn next(&mut self, limit: Duration) -> Result<Option<Value>> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => {
                let value = serde_json::from_str(&line).unwrap_or(Value::Null);
                self.seen.push(line);
                Ok(Some(value))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("it ended by itself:\n{}", self.seen.join("\n"))
            }
        }
    }

    /// Every line so far.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Power off, at whatever it is doing.
    pub fn kill(mut self) -> Result<()> {
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.end();
    }
}
