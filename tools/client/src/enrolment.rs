use otaru_wire::{ProductName, TemplateName, ThingName};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Client, ClientError, Device, Object, Page, Paging};

/// A token with which one device becomes a thing, without its secret.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EnrolmentToken {
    /// Public id.
    pub id: String,
    /// The thing its device will be.
    pub thing: String,
    /// What kind it is.
    pub product: String,
    /// When it stops working, RFC 3339.
    pub expires_at: String,
    /// When a device used it, RFC 3339.
    pub used_at: Option<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A new enrolment token with what its device needs to use it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct NewEnrolment {
    /// Public id.
    pub id: String,
    /// The thing its device will be.
    pub thing: String,
    /// When it stops working, RFC 3339.
    pub expires_at: String,
    /// The token itself, which is shown once.
    pub token: String,
    /// Where the device sends its request.
    pub device_url: String,
    /// The authority it trusts for that, PEM.
    pub ca_pem: String,
    /// The root key it will trust for firmware, as `root.pub`.
    pub root_pub: String,
}

/// What a device gets that enrols: all that `device add` writes but its key.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Enrolled {
    /// Its MQTT identity.
    pub thing: String,
    /// What kind it is.
    pub product: String,
    /// Its certificate.
    pub cert_pem: String,
    /// The authority it trusts for TLS.
    pub ca_pem: String,
    /// The root key it trusts for firmware, as `root.pub`.
    pub root_pub: String,
    /// Where it finds its server.
    pub device_toml: String,
}

/// How devices of a batch become things.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// What kind of device it makes.
    pub product: String,
    /// What they are called, such as `clock-{SerialNumber}`.
    pub thing_name: String,
    /// How many it makes at most.
    pub device_limit: Option<u32>,
    /// How many it has made.
    pub devices: u64,
    /// When it stops working, RFC 3339.
    pub expires_at: Option<String>,
    /// Whether an operator approves of each device.
    pub approve: bool,
    /// How many serial numbers it is limited to.
    pub serial_numbers: Option<u64>,
}

/// A template to add.
#[derive(Clone, Debug, Serialize)]
pub struct NewTemplate {
    /// Its name.
    pub name: TemplateName,
    /// What kind of device it makes.
    pub product: ProductName,
    /// What they are called, such as `clock-{SerialNumber}`.
    pub thing_name: String,
    /// How many it makes at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_limit: Option<u32>,
    /// Certificates that one claim certificate gets in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// When it stops working, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Whether an operator approves of each device.
    pub approve: bool,
    /// The serial numbers it is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_numbers: Option<Vec<String>>,
}

/// A certificate of a whole batch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ClaimCertificate {
    /// Serial number.
    pub serial: String,
    /// The template it provisions by.
    pub template: String,
    /// When it ends, RFC 3339.
    pub expires_at: String,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A new claim certificate with its key, which the server does not keep.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ClaimFiles {
    /// Serial number.
    pub serial: String,
    /// The template it provisions by.
    pub template: String,
    /// When it ends, RFC 3339.
    pub expires_at: String,
    /// The certificate.
    pub cert_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// The authority that devices trust for TLS.
    pub ca_pem: String,
    /// Where devices find the broker.
    pub mqtt_url: String,
}

/// A device that waits for approval.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Provisioning {
    /// Opaque id.
    pub id: String,
    /// The thing it wants to be.
    pub thing: String,
    /// By which template.
    pub template: String,
    /// `PENDING_ACTIVATION`.
    pub status: String,
    /// SHA-256 of its public key.
    pub key_sha256: String,
    /// When it asked, RFC 3339.
    pub requested_at: String,
}

const TOKENS: [&str; 3] = ["api", "v1", "enrolment-tokens"];
const TEMPLATES: [&str; 4] = ["api", "v1", "provisioning", "templates"];
const QUEUE: [&str; 4] = ["api", "v1", "provisioning", "queue"];

impl Client {
    /// Makes a token for one device that keeps its key.
    pub async fn create_enrolment_token(
        &self,
        thing: &ThingName,
        product: &ProductName,
        expires_at: &str,
    ) -> Result<Object<NewEnrolment>, ClientError> {
        let body = json!({ "thing": thing, "product": product, "expires_at": expires_at });
        self.post(&TOKENS, &body).await
    }

    /// Enrolment tokens, oldest first.
    pub async fn list_enrolment_tokens(
        &self,
        paging: &Paging,
    ) -> Result<Page<EnrolmentToken>, ClientError> {
        self.get(&TOKENS, &paging.query()).await
    }

    /// Stops an enrolment token from working.
    pub async fn revoke_enrolment_token(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&[&TOKENS[..], &[id]].concat()).await
    }

    /// Becomes the device that a token is for, with the key that signed the request (PEM).
    pub async fn enrol_device(
        &self,
        token: &str,
        certificate_request: &str,
    ) -> Result<Object<Enrolled>, ClientError> {
        let body = json!({ "token": token, "certificate_request": certificate_request });
        self.post(&["enrolment"], &body).await
    }

    /// Adds a template.
    pub async fn add_template(&self, new: &NewTemplate) -> Result<Object<Template>, ClientError> {
        self.post(&TEMPLATES, new).await
    }

    /// Templates, by name.
    pub async fn list_templates(&self, paging: &Paging) -> Result<Page<Template>, ClientError> {
        self.get(&TEMPLATES, &paging.query()).await
    }

    /// One template.
    pub async fn show_template(
        &self,
        name: &TemplateName,
    ) -> Result<Object<Template>, ClientError> {
        self.get(&[&TEMPLATES[..], &[name.as_str()]].concat(), &[]).await
    }

    /// Removes a template with its claim certificates.
    pub async fn remove_template(&self, name: &TemplateName) -> Result<(), ClientError> {
        self.delete(&[&TEMPLATES[..], &[name.as_str()]].concat()).await
    }

    /// Issues a claim certificate.
    pub async fn create_claim_certificate(
        &self,
        template: &TemplateName,
        expires_at: Option<&str>,
    ) -> Result<ClaimFiles, ClientError> {
        let path = [&TEMPLATES[..], &[template.as_str(), "claim-certificates"]].concat();
        self.post(&path, &json!({ "expires_at": expires_at })).await
    }

    /// Claim certificates of a template, oldest first.
    pub async fn list_claim_certificates(
        &self,
        template: &TemplateName,
    ) -> Result<Page<ClaimCertificate>, ClientError> {
        self.get(&[&TEMPLATES[..], &[template.as_str(), "claim-certificates"]].concat(), &[]).await
    }

    /// Stops a claim certificate from working.
    pub async fn revoke_claim_certificate(&self, serial: &str) -> Result<(), ClientError> {
        let path = ["api", "v1", "provisioning", "claim-certificates", serial, "revoke"];
        self.send(self.request(Method::POST, &path)).await.map(drop)
    }

    /// Devices that wait for approval, the oldest first.
    pub async fn list_provisioning_queue(
        &self,
        paging: &Paging,
    ) -> Result<Page<Provisioning>, ClientError> {
        self.get(&QUEUE, &paging.query()).await
    }

    /// Lets a device in that waits.
    pub async fn approve_provisioning(&self, id: &str) -> Result<Object<Device>, ClientError> {
        self.read(self.request(Method::POST, &[&QUEUE[..], &[id, "approve"]].concat())).await
    }

    /// Turns a device away that waits.
    pub async fn reject_provisioning(&self, id: &str) -> Result<(), ClientError> {
        let path = [&QUEUE[..], &[id, "reject"]].concat();
        self.send(self.request(Method::POST, &path)).await.map(drop)
    }

    /// Lets another key take a device's name by provisioning.
    pub async fn allow_reprovisioning(&self, thing: &ThingName) -> Result<(), ClientError> {
        let path = ["api", "v1", "devices", thing.as_str(), "reprovisioning"];
        self.send(self.request(Method::POST, &path)).await.map(drop)
    }

    /// Takes a device out of service; with `forget`, out of lists and history, too.
    pub async fn decommission_device(
        &self,
        thing: &ThingName,
        forget: bool,
    ) -> Result<(), ClientError> {
        let path = ["api", "v1", "devices", thing.as_str(), "decommission"];
        let body = json!({ "forget": forget });
        self.send(self.request(Method::POST, &path).json(&body)).await.map(drop)
    }

    /// Puts another device in one's place.
    pub async fn replace_device(
        &self,
        old: &ThingName,
        new: &ThingName,
    ) -> Result<Object<Device>, ClientError> {
        let path = ["api", "v1", "devices", old.as_str(), "replace"];
        self.post(&path, &json!({ "by": new })).await
    }
}
