use otaru_wire::ThingName;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{Client, ClientError, Object, Page, Paging};

/// An authority whose certificates are believed of the organisation's registered devices.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DeviceAuthority {
    /// SHA-256 of its certificate, in hex.
    pub fingerprint: String,
    /// What its organisation calls it.
    pub label: String,
    /// What it calls itself.
    pub subject: String,
    /// Until when it holds, RFC 3339.
    pub not_after: Option<String>,
    /// Certificates of devices that it signed, are registered and not revoked.
    pub certificates: u64,
    /// When it was registered, RFC 3339.
    pub created_at: String,
}

/// A certificate that a device may come with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Certificate {
    /// Serial number, in hex.
    pub serial: String,
    /// SHA-256 of its authority's certificate, in hex.
    pub issuer: String,
    /// Whether the server's own authority issued it.
    pub is_own: bool,
    /// When it was registered, RFC 3339.
    pub created_at: String,
    /// When it was revoked, RFC 3339.
    pub revoked_at: Option<String>,
    /// Serial number of the certificate that was renewed into this one.
    pub renews: Option<String>,
}

/// What an authority signs to be registered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RegistrationCode {
    /// The common name of the verification certificate.
    pub code: String,
}

const AUTHORITIES: [&str; 3] = ["api", "v1", "authorities"];

impl Client {
    /// What an authority signs to show that its key is there.
    pub async fn registration_code(&self) -> Result<Object<RegistrationCode>, ClientError> {
        self.get(&[&AUTHORITIES[..], &["registration-code"]].concat(), &[]).await
    }

    /// Registers an authority; its certificate and a verification certificate are PEM.
    pub async fn add_device_authority(
        &self,
        label: &str,
        certificate: &str,
        verification: &str,
    ) -> Result<Object<DeviceAuthority>, ClientError> {
        let authority =
            json!({ "label": label, "certificate": certificate, "verification": verification });
        self.post(&AUTHORITIES, &authority).await
    }

    /// The organisation's authorities.
    pub async fn list_device_authorities(
        &self,
        paging: &Paging,
    ) -> Result<Page<DeviceAuthority>, ClientError> {
        self.get(&AUTHORITIES, &paging.query()).await
    }

    /// One authority.
    pub async fn show_device_authority(
        &self,
        fingerprint: &str,
    ) -> Result<Object<DeviceAuthority>, ClientError> {
        self.get(&[&AUTHORITIES[..], &[fingerprint]].concat(), &[]).await
    }

    /// Believes an authority no more.
    pub async fn remove_device_authority(&self, fingerprint: &str) -> Result<(), ClientError> {
        let path = [&AUTHORITIES[..], &[fingerprint]].concat();
        self.send(self.request(Method::DELETE, &path)).await.map(drop)
    }

    /// The certificates of a device, newest first.
    pub async fn list_certificates(
        &self,
        thing: &ThingName,
    ) -> Result<Page<Certificate>, ClientError> {
        self.get(&["api", "v1", "devices", thing.as_str(), "certificates"], &[]).await
    }

    /// Lets a device come with another certificate of one of the organisation's authorities, PEM.
    pub async fn add_certificate(
        &self,
        thing: &ThingName,
        certificate: &str,
    ) -> Result<Object<Certificate>, ClientError> {
        let path = ["api", "v1", "devices", thing.as_str(), "certificates"];
        self.post(&path, &json!({ "certificate": certificate })).await
    }

    /// Stops a device's certificates from working, or the one with this serial number, of this
    /// issuer if one is named.
    pub async fn revoke_device(
        &self,
        thing: &ThingName,
        serial: Option<&str>,
        issuer: Option<&str>,
    ) -> Result<(), ClientError> {
        let path = ["api", "v1", "devices", thing.as_str(), "revoke"];
        let which = [("serial", serial), ("issuer", issuer)];
        let which: Vec<_> =
            which.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.send(self.request(Method::POST, &path).query(&which)).await.map(drop)
    }
}
