//! What systemd makes of the unit, and hears of a device that nobody has enrolled yet.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Nothing here takes a tenth of it.
const LONG: Duration = Duration::from_secs(60);

/// The program, which ends with the test.
struct Device(Child);

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(config: &Path, socket: &Path) -> Device {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otaru-device"));
    command.arg("--config").arg(config).env("NOTIFY_SOCKET", socket).stderr(Stdio::null());
    Device(command.spawn().unwrap())
}

/// It is started, says what is wrong, and goes on trying: no service that fails every five seconds.
#[test]
fn a_token_that_is_no_good_is_a_status_and_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let systemd = UnixDatagram::bind(path("notify")).unwrap();
    systemd.set_read_timeout(Some(LONG)).unwrap();
    let config = format!(
        "provisioning = \"{0}/device\"\nenrolment = \"{0}/token\"\nstate = \"{0}/state\"\n\
         [product]\nrun = [\"{0}/state/current\"]\n[update]\nretry_base_s = 3600\n",
        folder.path().display()
    );
    std::fs::write(path("config.toml"), config).unwrap();
    std::fs::write(path("token"), "no token").unwrap();
    let mut device = start(&path("config.toml"), &path("notify"));
    let mut heard = String::new();
    while !heard.contains("have another token made") {
        let mut message = [0; 4096];
        let length = systemd.recv(&mut message).expect("it says so");
        heard.push_str(std::str::from_utf8(&message[..length]).unwrap());
    }
    assert!(heard.starts_with("READY=1"), "{heard}");
    assert!(heard.contains("STATUS=enrolment: ") && heard.contains("token"), "{heard}");
    assert!(device.0.try_wait().unwrap().is_none(), "it goes on trying");
}

/// A word that systemd does not know is passed over where it runs: nobody would miss a sandbox.
#[test]
fn systemd_knows_every_word_of_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("otaru-device.service");
    let text = include_str!("../otaru-device.service");
    let text = text.replace("/usr/bin/otaru-device", env!("CARGO_BIN_EXE_otaru-device"));
    std::fs::write(&unit, text).unwrap();
    let found = Command::new("systemd-analyze").arg("verify").arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success() && said.is_empty(), "{said}");
}
