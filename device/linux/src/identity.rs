//! Who the device is, from the folder it was provisioned with.

use std::io;
use std::path::{Path, PathBuf};

use otaru_keys::KeysError;
use otaru_release::{Chip, PublicKey};
use otaru_wire::{Namespace, ProductName, Reason, ThingName};
use reqwest::Url;
use serde::Deserialize;

mod check;

/// Port of MQTT over TLS where the URL names none.
const MQTTS_PORT: u16 = 8883;

/// What `device.toml` says. Certificates and roots are read when needed, so that
/// a file put right is noticed without a restart.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The provisioning folder.
    pub dir: PathBuf,
    /// The device's name.
    pub thing: ThingName,
    /// Its kind.
    pub product: ProductName,
    /// Its chip; `None` is whatever chip its first image is for.
    pub chip: Option<Chip>,
    /// Where downloads are.
    pub device_url: Url,
    /// The broker's host name or address.
    pub mqtt_host: String,
    /// The broker's port.
    pub mqtt_port: u16,
    /// First level of log and progress topics.
    pub namespace: Namespace,
}

/// Why the folder is not a device's.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file could not be read.
    #[error("could not read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `device.toml` is not one.
    #[error("{} is not a device's: {message}", path.display())]
    Settings {
        /// Which file.
        path: PathBuf,
        /// What was found and what was expected.
        message: String,
    },
    /// Key, certificate or authority could not be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Another file is not what it should be.
    #[error("{} is no good: found {found}, expected {expected}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is in it.
        found: String,
        /// What should be.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
struct DeviceToml {
    thing: String,
    product: String,
    chip: Option<String>,
    device_url: String,
    mqtt_url: String,
    namespace: Option<String>,
}

impl Identity {
    /// Reads `device.toml`, and that certificate and key are there.
    pub fn read(dir: &Path) -> Result<Identity, IdentityError> {
        let identity = Identity::read_settings(dir)?;
        for file in ["cert.pem", "key.pem"] {
            read_text(&dir.join(file))?;
        }
        Ok(identity)
    }

    /// Whether the folder was a device's at any time.
    pub(crate) fn has_settings(dir: &Path) -> bool {
        dir.join("device.toml").exists()
    }

    /// Reads `device.toml` alone: what else is missing or damaged costs the link.
    pub fn read_settings(dir: &Path) -> Result<Identity, IdentityError> {
        let path = dir.join("device.toml");
        let text = read_text(&path)?;
        parse(dir, &text).map_err(|message| IdentityError::Settings { path, message })
    }

    /// Looks whether the other files are what a session with the server and an update take. The
    /// clock is not asked: a certificate may end, and be renewed.
    pub fn check(&self) -> Result<(), IdentityError> {
        check::files(&self.dir)
    }

    /// The root key the device was built with.
    ///
    /// Errors: the reason to report when `root.pub` is missing or is none.
    pub fn root_key(&self) -> Result<PublicKey, Reason> {
        let text = std::fs::read_to_string(self.dir.join("root.pub"));
        let text = text.map_err(|_| Reason::RootMissing)?;
        PublicKey::from_file(&text).map_err(|_| Reason::RootInvalid)
    }
}

fn read_text(path: &Path) -> Result<String, IdentityError> {
    std::fs::read_to_string(path)
        .map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}

fn parse(dir: &Path, text: &str) -> Result<Identity, String> {
    let found: DeviceToml = toml::from_str(text).map_err(|error| error.to_string())?;
    let mqtt = Url::parse(&found.mqtt_url).map_err(|error| format!("mqtt_url: {error}"))?;
    if mqtt.scheme() != "mqtts" {
        return Err(format!("mqtt_url has scheme {}, expected mqtts", mqtt.scheme()));
    }
    let host = mqtt.host_str().ok_or("mqtt_url has no host")?;
    let device_url =
        Url::parse(&found.device_url).map_err(|error| format!("device_url: {error}"))?;
    if device_url.scheme() != "https" {
        return Err(format!("device_url has scheme {}, expected https", device_url.scheme()));
    }
    let chip = found.chip.map(|name| name.parse().map_err(|error| format!("chip {name}: {error}")));
    let namespace = found.namespace.map(|name| Namespace::new(&name).map_err(|e| e.to_string()));
    Ok(Identity {
        dir: dir.to_owned(),
        thing: ThingName::new(&found.thing).map_err(|error| error.to_string())?,
        product: ProductName::new(&found.product).map_err(|error| error.to_string())?,
        chip: chip.transpose()?,
        device_url,
        // A literal IPv6 address has brackets in a URL and none in a socket address.
        mqtt_host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        mqtt_port: mqtt.port().unwrap_or(MQTTS_PORT),
        namespace: namespace.transpose()?.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Identity, String> {
        parse(Path::new("/somewhere"), text)
    }

    const GOOD: &str = r#"
        thing = "clock-01"
        product = "clock"
        device_url = "https://localhost:8444"
        mqtt_url = "mqtts://[::1]:1884"
    "#;

    #[test]
    fn a_device_is_read() {
        let identity = parsed(GOOD).unwrap();
        assert_eq!((identity.mqtt_host.as_str(), identity.mqtt_port), ("::1", 1884));
        assert_eq!(identity.chip, None);
        let identity = parsed(&format!("{GOOD}\nchip = \"esp32c3\"")).unwrap();
        assert_eq!(identity.chip, Some(Chip::Esp32C3));
        let identity = parsed(&GOOD.replace("[::1]:1884", "broker.example")).unwrap();
        assert_eq!(identity.mqtt_port, MQTTS_PORT);
    }

    #[test]
    fn plain_text_links_are_refused_by_name() {
        let plain = parsed(&GOOD.replace("mqtts:", "mqtt:")).unwrap_err();
        assert_eq!(plain, "mqtt_url has scheme mqtt, expected mqtts");
        let plain = parsed(&GOOD.replace("https:", "http:")).unwrap_err();
        assert_eq!(plain, "device_url has scheme http, expected https");
        assert!(parsed("thing = 7").is_err());
    }
}
