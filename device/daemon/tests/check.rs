//! The program at the command line: what a technician reads when something is wrong.

use std::path::Path;
use std::process::{Command, Output};

fn check(config: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otaru-device"));
    command.arg("--check").arg("--config").arg(config);
    command.output().unwrap()
}

fn write(folder: &Path, text: &str) -> std::path::PathBuf {
    let file = folder.join("otaru-device.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn least(folder: &Path) -> String {
    let folder = folder.display();
    format!("provisioning = \"{folder}\"\nstate = \"{folder}/state\"\n[product]\nrun = [\"x\"]\n")
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
fn a_folder_without_provisioning_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(&write(folder.path(), &least(folder.path())));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("expected a folder that `otaru device add … --out` wrote"), "{said}");
    assert!(said.contains("device.toml"), "{said}");
}

#[test]
fn a_good_configuration_passes() {
    let folder = tempfile::tempdir().unwrap();
    let device = "thing = \"clock-01\"\nproduct = \"clock\"\nchip = \"linux\"\n\
                  device_url = \"https://localhost:1\"\nmqtt_url = \"mqtts://localhost:1\"\n";
    for (name, text) in [("device.toml", device), ("cert.pem", ""), ("key.pem", "")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let output = check(&write(folder.path(), &least(folder.path())));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!folder.path().join("state").exists(), "looking changes nothing");
}
