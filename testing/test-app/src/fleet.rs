//! What a test has its server know of: products, devices and releases.

use otaru_broker::Addresses;
use serde_json::json;

use crate::{Client, Device, Firmware, MqttSession, Publisher, TestApp};

impl TestApp {
    /// Creates a product for ESP32-C3 with 4 MiB of flash.
    pub async fn create_product(&self, name: &str, download: &str) {
        self.add_product(&self.admin(), name, download).await;
    }

    /// Creates one of the organisation of this administrator.
    pub async fn create_product_as(&self, admin: &Client, name: &str) {
        self.add_product(admin, name, "device").await;
    }

    async fn add_product(&self, admin: &Client, name: &str, download: &str) {
        let product = json!({
            "name": name,
            "chip": "esp32c3",
            "flash_bytes": 4 << 20,
            "root": self.publisher.root_base64(),
            "download": download,
        });
        admin.post("/api/v1/products", product).await.expect_status(201);
    }

    /// Registers a device; its client comes with its certificate, on the devices' port.
    pub async fn add_device(&self, thing: &str, product: &str) -> Client {
        self.provision(thing, product).await.https
    }

    /// Registers a device and gives it all it needs to connect.
    pub async fn provision(&self, thing: &str, product: &str) -> Device {
        let device = json!({ "thing": thing, "product": product });
        let files = self.admin().post("/api/v1/devices", device).await.expect_status(201).json();
        self.device_of(&files)
    }

    /// Connects over mutual TLS with any certificate, under any name; why not, if it is not let in.
    pub async fn connect_with(
        &self,
        client_id: &str,
        files: &serde_json::Value,
    ) -> Result<MqttSession, String> {
        MqttSession::with_certificate(client_id, files, &self.ports).await
    }

    /// A device that was given these files.
    pub fn device_of(&self, files: &serde_json::Value) -> Device {
        Device::new(files, self.ports.clone())
    }

    /// Where the broker listens now, for a client of the test's own.
    pub fn mqtt_addresses(&self) -> Addresses {
        self.ports.mqtt()
    }

    /// Connects a trusted program of this machine to the plain MQTT port.
    pub async fn backend(&self, client_id: &str) -> MqttSession {
        MqttSession::backend(client_id, &self.ports).await
    }

    /// Makes somebody the owner of a device.
    pub async fn claim(&self, owner: &Client, thing: &str) {
        let path = format!("/api/v1/devices/{thing}/claim-code");
        let code = self.admin().post(&path, json!({})).await.expect_status(201).json();
        let claim = json!({ "code": code["code"] });
        owner.post("/app/devices/claim", claim).await.expect_status(200);
    }

    /// A firmware as a publisher would build and sign it; nothing is uploaded yet.
    pub fn firmware(&self, product: &str, version: &str, sequence: u64) -> Firmware {
        self.publisher.firmware(product, version, sequence)
    }

    /// The keys of every product of this server.
    pub fn keys(&self) -> &Publisher {
        &self.publisher
    }

    /// Publishes a release.
    pub async fn publish(&self, product: &str, version: &str, sequence: u64) -> Firmware {
        let firmware = self.firmware(product, version, sequence);
        let path = format!("/api/v1/products/{product}/releases");
        self.admin().upload(&path, &firmware.form()).await.expect_status(201);
        firmware
    }
}
