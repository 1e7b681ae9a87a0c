//! A batch of devices with its claim certificate, and what they ask.

use std::time::Duration;

use otaru_test_app::{Device, MqttSession, TestApp};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

pub(crate) const FROM_CSR: &str = "$aws/certificates/create-from-csr/json";
pub(crate) const KEYS: &str = "$aws/certificates/create/json";
pub(crate) const PROVISION: &str = "$aws/provisioning-templates/clocks/provision/json";
pub(crate) const QUEUE: &str = "/api/v1/provisioning/queue";
pub(crate) const TEMPLATES: &str = "/api/v1/provisioning/templates";
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// A template and the claim certificate of its batch.
pub(crate) struct Batch {
    pub(crate) app: TestApp,
    pub(crate) claim: Value,
}

impl Batch {
    pub(crate) async fn new(app: TestApp, template: Value) -> Batch {
        app.create_product("clock", "device").await;
        let claim = add_template(&app, "clocks", template).await;
        Batch { app, claim }
    }

    /// A device of the batch, listening to all answers.
    pub(crate) async fn device(&self, client_id: &str) -> MqttSession {
        self.device_of(client_id, &self.claim, PROVISION).await
    }

    /// A device with this claim certificate, which becomes a thing by this call.
    pub(crate) async fn device_of(
        &self,
        client_id: &str,
        claim: &Value,
        provision: &str,
    ) -> MqttSession {
        let session = self.app.connect_with(client_id, claim).await;
        let mut session = session.unwrap_or_else(|why| panic!("{client_id}: {why}"));
        for call in [FROM_CSR, KEYS, provision] {
            for answer in ["accepted", "rejected"] {
                session.subscribe(&format!("{call}/{answer}")).await;
            }
        }
        session
    }

    /// The device of that name with a certificate it was given.
    pub(crate) fn made(&self, thing: &str, certificate: &Value, key_pem: String) -> Device {
        self.app.device_of(&json!({
            "device": { "thing": thing }, "cert_pem": certificate["certificatePem"],
            "ca_pem": self.claim["ca_pem"], "key_pem": key_pem,
        }))
    }

    pub(crate) async fn revoke(&self) {
        let serial = self.claim["serial"].as_str().unwrap();
        let path = format!("/api/v1/provisioning/claim-certificates/{serial}/revoke");
        self.app.operator().await.post(&path, json!({})).await.expect_status(204);
    }
}

/// Adds a template of clocks; a claim certificate for it.
pub(crate) async fn add_template(app: &TestApp, name: &str, mut template: Value) -> Value {
    template["name"] = json!(name);
    template["product"] = json!("clock");
    template["thing_name"] = json!("clock-{SerialNumber}");
    app.operator().await.post(TEMPLATES, template).await.expect_status(201);
    let claims = format!("{TEMPLATES}/{name}/claim-certificates");
    // The broker judges it by the machine's clock.
    let claim = json!({ "expires_at": "2036-11-01T00:00:00Z" });
    app.operator().await.post(&claims, claim).await.expect_status(201).json()
}

pub(crate) async fn ask(session: &mut MqttSession, call: &str, body: Value) -> Value {
    assert!(session.publish(call, body.to_string()).await);
    session.hear_on(&format!("{call}/accepted")).await
}

pub(crate) async fn refused(session: &mut MqttSession, call: &str, body: Value) -> (u64, String) {
    assert!(session.publish(call, body.to_string()).await);
    let body = session.hear_on(&format!("{call}/rejected")).await;
    assert!(!body["errorMessage"].as_str().unwrap().is_empty(), "{body}");
    (body["statusCode"].as_u64().unwrap(), body["errorCode"].as_str().unwrap().to_owned())
}

pub(crate) fn csr(key: &KeyPair) -> Value {
    let request = CertificateParams::default().serialize_request(key).unwrap().pem().unwrap();
    json!({ "certificateSigningRequest": request })
}

pub(crate) fn become_thing(certificate: &Value, serial: &str) -> Value {
    json!({
        "certificateOwnershipToken": certificate["certificateOwnershipToken"],
        "parameters": { "SerialNumber": serial, "DeviceLocation": "Berlin" },
    })
}

pub(crate) fn conflict(code: &str) -> (u64, String) {
    (409, code.to_owned())
}

pub(crate) fn denied() -> (u64, String) {
    (403, "AccessDenied".to_owned())
}

pub(crate) fn no_token() -> (u64, String) {
    (400, "InvalidCertificateOwnershipToken".to_owned())
}
