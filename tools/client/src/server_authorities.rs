use reqwest::Method;
use serde::Deserialize;

use crate::{Client, ClientError, Object, Page, Paging};

/// An authority of the server's own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ServerAuthority {
    /// SHA-256 of its certificate, in hex.
    pub fingerprint: String,
    /// What it calls itself.
    pub subject: String,
    /// `signs`, `believed` or `retired`.
    pub state: String,
    /// Until when it holds, RFC 3339.
    pub not_after: Option<String>,
    /// Devices that have a certificate of it, which is not revoked and not over.
    pub devices: u64,
    /// Claim certificates of it, likewise.
    pub claim_certificates: u64,
    /// Devices that wait for approval with a certificate of it.
    pub waiting: u64,
    /// When a server first had it, RFC 3339.
    pub created_at: String,
    /// Since when it is believed no more, RFC 3339.
    pub retired_at: Option<String>,
}

/// A device that has a certificate of an authority.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StandingDevice {
    /// Its name.
    pub thing: String,
    /// The id of its organisation.
    pub organisation: String,
    /// When the last of its certificates of this authority ends, RFC 3339.
    pub not_after: Option<String>,
}

const AUTHORITIES: [&str; 3] = ["api", "v1", "server-authorities"];

impl Client {
    /// The server's own authorities, oldest first, retired ones too.
    pub async fn list_server_authorities(&self) -> Result<Page<ServerAuthority>, ClientError> {
        self.get(&AUTHORITIES, &[]).await
    }

    /// Has a new authority sign from now on.
    pub async fn rotate_server_authority(&self) -> Result<Object<ServerAuthority>, ClientError> {
        self.post(&AUTHORITIES, &serde_json::json!({})).await
    }

    /// Believes an authority no more; with `force` although something ends with it.
    pub async fn retire_server_authority(
        &self,
        fingerprint: &str,
        force: bool,
    ) -> Result<(), ClientError> {
        let path = [&AUTHORITIES[..], &[fingerprint]].concat();
        let request = self.request(Method::DELETE, &path).query(&[("force", force)]);
        self.send(request).await.map(drop)
    }

    /// Devices of all organisations that have a certificate of an authority.
    pub async fn list_devices_of_server_authority(
        &self,
        fingerprint: &str,
        paging: &Paging,
    ) -> Result<Page<StandingDevice>, ClientError> {
        self.get(&[&AUTHORITIES[..], &[fingerprint, "devices"]].concat(), &paging.query()).await
    }
}
