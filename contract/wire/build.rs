//! Generates the Rust types of `proto/`, without a `protoc` on the machine. Who has no heap has none of them.

#[cfg(feature = "alloc")]
use std::error::Error;

/// Messages that have the members of a JSON object of the REST API.
#[cfg(feature = "alloc")]
const AS_JSON: [&str; 7] = [
    "FirmwareAvailable",
    "Update",
    "Reason",
    "SettingsChanged",
    "DeviceOnline",
    "DeviceOffline",
    "DeviceChanged",
];

#[cfg(feature = "alloc")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files =
        protox::compile(["otaru/v1/config.proto", "otaru/v1/notifications.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    config.btree_map(["."]);
    for message in AS_JSON {
        let derive = "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]";
        config.type_attribute(format!("otaru.v1.{message}"), derive);
    }
    config.compile_fds(files)?;
    Ok(())
}

#[cfg(not(feature = "alloc"))]
fn main() {}
