use otaru_wire::{ReleaseVersion, ThingName};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{Client, ClientError, Object, Running, Update, When};

/// A device as its owner sees it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct OwnDevice {
    /// Its MQTT identity.
    pub thing: String,
    /// What kind it is.
    pub product: String,
    /// The owner's name for it.
    pub name: Option<String>,
    /// Whether it is connected.
    pub online: bool,
    /// What it runs; `None` until it reported.
    pub running: Option<Running>,
    /// What can be installed now, if anything.
    pub available: Option<AvailableRelease>,
    /// Its newest update.
    pub update: Option<Update>,
}

/// A release an owner can install.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AvailableRelease {
    /// Its version.
    pub version: String,
    /// Plain-language notes.
    pub notes: String,
    /// Size of its image in bytes.
    pub size: u64,
}

impl Client {
    /// Makes the token's person the owner of the device a claim code was printed for.
    pub async fn claim_device(&self, code: &str) -> Result<Object<OwnDevice>, ClientError> {
        self.post(&["app", "devices", "claim"], &json!({ "code": code })).await
    }

    /// The devices of the token's person.
    pub async fn list_own_devices(&self) -> Result<Vec<Object<OwnDevice>>, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            items: Vec<Object<OwnDevice>>,
        }
        let answer: Answer = self.get(&["app", "devices"], &[]).await?;
        Ok(answer.items)
    }

    /// The owner's tap on Install.
    pub async fn install(
        &self,
        thing: &ThingName,
        version: &ReleaseVersion,
        when: When,
    ) -> Result<Object<Update>, ClientError> {
        let body = json!({ "version": version, "when": when.as_str() });
        self.post(&["app", "devices", thing.as_str(), "update"], &body).await
    }

    /// Whether the server has the pages for browsers.
    pub async fn has_pages(&self) -> bool {
        self.send(self.request(Method::GET, &[])).await.is_ok()
    }

    /// Whether the server says that everything it needs is up.
    pub async fn is_ready(&self) -> bool {
        self.send(self.request(Method::GET, &["readyz"])).await.is_ok()
    }
}
