//! The program at the command line: what a technician reads when something is wrong.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A gateway with everything it takes, and the configuration that says so.
struct Gateway(TempDir);

impl Gateway {
    fn new() -> Gateway {
        let gateway = Gateway(TempDir::new().unwrap());
        let device = "thing = \"clock-01\"\nproduct = \"clock\"\nchip = \"linux\"\n\
                      device_url = \"https://localhost:1\"\nmqtt_url = \"mqtts://localhost:1\"\n";
        gateway.write("device.toml", device);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        for name in ["cert.pem", "ca.pem"] {
            gateway.write(name, &certificate.pem());
        }
        gateway.write("key.pem", &key.serialize_pem());
        gateway.write("root.pub", ROOT);
        gateway.write("image", "#!/bin/sh\n");
        for name in ["self-test", "apply"] {
            gateway.write(name, "#!/bin/sh\n");
            let rights = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(gateway.path(name), rights).unwrap();
        }
        gateway.configure(CONFIG);
        gateway
    }

    /// Writes the configuration; `DIR` in it is this folder.
    fn configure(&self, text: &str) {
        let folder = self.0.path().to_str().unwrap();
        self.write("otaru-device.toml", &text.replace("DIR", folder));
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn check(&self) -> Output {
        check(&self.path("otaru-device.toml"))
    }

    /// What it says is wrong; one thing has to be.
    fn refusal(&self) -> String {
        let output = self.check();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!self.path("state").exists(), "looking changes nothing");
        said.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

const CONFIG: &str = "provisioning = \"DIR\"\nstate = \"DIR/state\"\n\
                      [slots]\nfirst_image = \"DIR/image\"\n\
                      [product]\nrun = [\"DIR/state/current\"]\n\
                      self_test = [\"DIR/self-test\"]\napply_settings = [\"DIR/apply\"]\n";

/// The base point of the curve: nobody has its key.
const ROOT: &str = "ed25519:5866666666666666666666666666666666666666666666666666666666666666\n";

const PARTITIONS: &str = "partitions = [\"DIR/a\", \"DIR/b\"]\n";

fn check(config: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otaru-device"));
    command.arg("--check").arg("--config").arg(config);
    command.output().unwrap()
}

fn assert_says(said: &str, words: &[&str]) {
    for words in words {
        assert!(said.contains(words), "expected {words:?} in {said}");
    }
}

#[test]
fn a_missing_configuration_says_how_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(&folder.path().join("none.toml"));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("none.toml: name the configuration with --config FILE"), "{said}");
}

#[test]
fn a_good_configuration_passes() {
    let gateway = Gateway::new();
    let output = gateway.check();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!gateway.path("state").exists(), "looking changes nothing");
}

#[test]
fn each_missing_file_of_the_provisioning_is_named() {
    for name in ["device.toml", "cert.pem", "key.pem", "ca.pem", "root.pub"] {
        let gateway = Gateway::new();
        std::fs::remove_file(gateway.path(name)).unwrap();
        let folder = "expected a folder that `otaru device add … --out` wrote: copy it there whole";
        assert_says(&gateway.refusal(), &[&format!("could not read DIR/{name}"), folder]);
    }
}

#[test]
fn each_file_of_the_provisioning_is_what_it_is_called() {
    let good = Gateway::new();
    let other = Gateway::new();
    let stranger = std::fs::read_to_string(other.path("key.pem")).unwrap();
    let key = std::fs::read_to_string(good.path("key.pem")).unwrap();
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text, expected) in [
        ("key.pem", "", "DIR/key.pem is no good: found no private key"),
        ("key.pem", "garbage", "DIR/key.pem is no good: found no private key"),
        ("key.pem", &stranger, "DIR/key.pem is no good: found the key of another certificate"),
        ("cert.pem", "garbage", "DIR/cert.pem is no good: found no certificate"),
        ("cert.pem", &key, "DIR/cert.pem is no good: found no certificate"),
        ("cert.pem", not_der, "DIR/cert.pem is no good: found"),
        ("ca.pem", "", "DIR/ca.pem is no good: found no certificate"),
        ("root.pub", "ed25519:00", "DIR/root.pub is no good: found"),
    ] {
        let gateway = Gateway::new();
        gateway.write(name, text);
        assert_says(&gateway.refusal(), &[expected, "expected"]);
    }
}

#[test]
fn a_device_of_a_chip_is_no_gateway() {
    let gateway = Gateway::new();
    let device = std::fs::read_to_string(gateway.path("device.toml")).unwrap();
    gateway.write("device.toml", &device.replace("linux", "esp32c3"));
    assert_says(&gateway.refusal(), &["device.toml has chip esp32c3", "--chip linux --images raw"]);
}

#[test]
fn the_first_image_has_to_be_there_and_to_fit() {
    let gateway = Gateway::new();
    std::fs::remove_file(gateway.path("image")).unwrap();
    assert_says(&gateway.refusal(), &["slots.first_image: could not read DIR/image", "copy it"]);
    std::fs::create_dir(gateway.path("image")).unwrap();
    assert_says(&gateway.refusal(), &["slots.first_image: could not read DIR/image"]);

    let gateway = Gateway::new();
    gateway.configure(&CONFIG.replace("first_image", "max_mib = 1\nfirst_image"));
    gateway.write("image", &"x".repeat((1 << 20) + 1));
    let said = gateway.refusal();
    assert_says(&said, &["DIR/image has 1048577 bytes", "the 1048576 of a slot"]);
    assert_says(&said, &["raise slots.max_mib"]);

    let gateway = Gateway::new();
    gateway.configure(&CONFIG.replace("first_image = \"DIR/image\"\n", ""));
    assert_says(&gateway.refusal(), &["slots.first_image: found nothing", "name its file"]);
}

#[test]
fn partitions_have_to_be_two_and_there() {
    let gateway = Gateway::new();
    gateway.configure(&CONFIG.replace("[product]", &format!("{PARTITIONS}[product]")));
    gateway.write("a", &"\0".repeat(1 << 20));
    assert_says(&gateway.refusal(), &["slots.partitions: could not open DIR/b", "make it"]);
    symlink(gateway.path("a"), gateway.path("b")).unwrap();
    assert_says(&gateway.refusal(), &["slots.partitions: DIR/a and DIR/b are one and the same"]);
    std::fs::remove_file(gateway.path("b")).unwrap();
    gateway.write("b", "short");
    assert_says(&gateway.refusal(), &["slots.partitions: DIR/b has 5 bytes"]);
    gateway.write("b", &"\0".repeat(1 << 20));
    assert!(gateway.check().status.success());
}

#[test]
fn partitions_that_hold_something_are_named() {
    let gateway = Gateway::new();
    gateway.configure(&CONFIG.replace("[product]", &format!("{PARTITIONS}[product]")));
    gateway.write("a", &"\0".repeat(1 << 20));
    gateway.write("b", &format!("XFSB{}", "\0".repeat(1 << 20)));
    assert_says(&gateway.refusal(), &["slots.partitions: DIR/b holds an XFS file system"]);
    let assent = format!("{PARTITIONS}overwrite = true\n[product]");
    gateway.configure(&CONFIG.replace("[product]", &assent));
    assert!(gateway.check().status.success());
}

#[test]
fn programs_have_to_be_there_and_to_be_some() {
    for (key, name) in [("self_test", "self-test"), ("apply_settings", "apply")] {
        let gateway = Gateway::new();
        let rights = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(gateway.path(name), rights).unwrap();
        let said = gateway.refusal();
        assert_says(&said, &[&format!("product.{key}: found DIR/{name}, which may not be")]);
        assert_says(&said, &["chmod +x"]);
        std::fs::remove_file(gateway.path(name)).unwrap();
        assert_says(&gateway.refusal(), &[&format!("product.{key}: could not find DIR/{name}")]);
    }
    let gateway = Gateway::new();
    gateway.configure(&CONFIG.replace("DIR/state/current", "DIR/none"));
    assert_says(&gateway.refusal(), &["product.run: could not find DIR/none"]);
    for none in ["DIR/state/curent", "DIR/state/current/start", "DIR/state/slot-c"] {
        gateway.configure(&CONFIG.replace("DIR/state/current", none));
        assert_says(&gateway.refusal(), &[&format!("product.run: could not find {none}")]);
    }
}
