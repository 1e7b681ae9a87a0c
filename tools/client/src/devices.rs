use otaru_wire::{ProductName, ThingName};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{Client, ClientError, Object, Page, Paging};

/// One physical unit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Device {
    /// Its MQTT identity.
    pub thing: String,
    /// What kind it is.
    pub product: String,
    /// The channel it follows.
    #[serde(default)]
    pub channel: String,
    /// Whether it is connected.
    pub online: bool,
    /// When it was last heard, RFC 3339.
    pub last_seen_at: Option<String>,
    /// Id of the person who claimed it.
    pub owner: Option<String>,
    /// What it runs; `None` until it reported.
    pub running: Option<Running>,
    /// Its newest certificate, if it is known until when that holds.
    #[serde(default)]
    pub certificate: Option<DeviceCertificate>,
    /// Since when it is out of service, RFC 3339.
    #[serde(default)]
    pub decommissioned_at: Option<String>,
    /// The device that took its place.
    #[serde(default)]
    pub replaced_by: Option<String>,
}

/// The certificate of a device.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DeviceCertificate {
    /// When it ends, RFC 3339.
    pub not_after: String,
}

/// What a device runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Running {
    /// Version label.
    pub version: Option<String>,
    /// SHA-256 of the running slot.
    pub sha256: Option<String>,
    /// Running slot, as the device names it.
    pub slot: Option<String>,
    /// `confirmed`, `trial` or `rolled_back`.
    pub state: Option<String>,
}

/// A device with a new certificate, and what must be written into it.
#[derive(Clone, Debug, Deserialize)]
pub struct NewDevice {
    /// The device.
    pub device: Value,
    /// Its certificate.
    pub cert_pem: String,
    /// Its private key, where the server made it; it does not keep it.
    pub key_pem: Option<String>,
    /// The authority it trusts for TLS.
    pub ca_pem: String,
    /// The root key it trusts for firmware, as `root.pub`.
    pub root_pub: String,
    /// Where it finds its server.
    pub device_toml: String,
}

/// What is printed and put into the box.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ClaimCode {
    /// The code, for one use.
    pub code: String,
    /// The page of the app that takes it.
    pub url: String,
}

/// A record of a device's log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LogRecord {
    /// Its place in the log.
    pub id: i64,
    /// When the server stored it, RFC 3339.
    pub received_at: String,
    /// What the device wrote.
    pub record: Value,
}

/// Which part of a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPart {
    /// This many of the newest records.
    Newest(u32),
    /// The records that follow this one.
    After(i64),
}

const DEVICES: [&str; 3] = ["api", "v1", "devices"];

impl Client {
    /// Sets the channel a device follows.
    pub async fn set_device_channel(
        &self,
        thing: &ThingName,
        channel: &str,
    ) -> Result<Object<Device>, ClientError> {
        let path = ["api", "v1", "devices", thing.as_str(), "channel"];
        self.put(&path, &json!({ "channel": channel })).await
    }

    /// Registers a device and issues its certificate.
    pub async fn add_device(
        &self,
        thing: &ThingName,
        product: &ProductName,
    ) -> Result<NewDevice, ClientError> {
        self.post(&DEVICES, &json!({ "thing": thing, "product": product })).await
    }

    /// Registers a device with a certificate of one of the organisation's own authorities, PEM.
    pub async fn register_device(
        &self,
        thing: &ThingName,
        product: &ProductName,
        certificate: &str,
    ) -> Result<NewDevice, ClientError> {
        let device = json!({ "thing": thing, "product": product, "certificate": certificate });
        self.post(&DEVICES, &device).await
    }

    /// Issues a new certificate for a device; those it had stop working.
    pub async fn renew_certificate(&self, thing: &ThingName) -> Result<NewDevice, ClientError> {
        let path = [&DEVICES[..], &[thing.as_str(), "certificate"]].concat();
        self.read(self.request(Method::POST, &path)).await
    }

    /// Devices of the organisation, by name.
    pub async fn list_devices(&self, paging: &Paging) -> Result<Page<Device>, ClientError> {
        self.get(&DEVICES, &paging.query()).await
    }

    /// One device.
    pub async fn show_device(&self, thing: &ThingName) -> Result<Object<Device>, ClientError> {
        self.get(&[&DEVICES[..], &[thing.as_str()]].concat(), &[]).await
    }

    /// Wishes settings for a device; a null takes a wish back.
    pub async fn apply_device_settings(
        &self,
        thing: &ThingName,
        settings: &Map<String, Value>,
    ) -> Result<(), ClientError> {
        let path = [&DEVICES[..], &[thing.as_str(), "settings"]].concat();
        self.send(self.request(Method::PUT, &path).json(settings)).await.map(drop)
    }

    /// Makes a claim code; an unused older one stops working.
    pub async fn create_claim_code(
        &self,
        thing: &ThingName,
    ) -> Result<Object<ClaimCode>, ClientError> {
        let path = [&DEVICES[..], &[thing.as_str(), "claim-code"]].concat();
        self.read(self.request(Method::POST, &path)).await
    }

    /// A part of a device's log, oldest first.
    pub async fn list_logs(
        &self,
        thing: &ThingName,
        part: LogPart,
        limit: Option<u32>,
    ) -> Result<Page<LogRecord>, ClientError> {
        let path = [&DEVICES[..], &[thing.as_str(), "logs"]].concat();
        let limit = limit.map(|limit| ("limit", limit.to_string()));
        let part = match part {
            LogPart::Newest(count) => ("tail", count.to_string()),
            LogPart::After(id) => ("after", id.to_string()),
        };
        self.get(&path, &limit.into_iter().chain([part]).collect::<Vec<_>>()).await
    }
}
