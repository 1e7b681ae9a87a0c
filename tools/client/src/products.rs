use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_wire::ProductName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Client, ClientError, Object, Page, Paging};

/// A kind of device.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Product {
    /// Unique on the server.
    pub name: String,
    /// Chip name, such as `esp32c3`.
    pub chip: String,
    /// Bytes of the flash.
    pub flash_bytes: u64,
    /// Bytes of one slot.
    pub slot_bytes: u64,
    /// `device` or `public`.
    pub download: String,
    /// How its images are read: `esp_idf` or `raw`.
    #[serde(default)]
    pub images: String,
    /// The chip revisions of its devices, if that is known.
    pub chip_revisions: Option<ChipRevisions>,
    /// Who decides when a release is installed.
    #[serde(default)]
    pub consent: Consent,
    /// Whether a release waits until a second person has approved it.
    #[serde(default)]
    pub approval_required: bool,
    /// Its settings; `None` when any may be set.
    pub settings: Option<Vec<Setting>>,
}

/// The lowest and the highest chip revision of a product's devices, major × 100 + minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipRevisions {
    /// The lowest.
    pub min: u16,
    /// The highest.
    pub max: u16,
}

/// Who decides when a product's releases are installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// `ask`, `deadline`, `night` or `forced`.
    pub mode: String,
    /// With `deadline`: days until who has not decided gets it at night.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_days: Option<u32>,
    /// With `ask` and `deadline`: whether somebody at a device with a screen may decide there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_on_device: Option<bool>,
}

/// One setting of a product; what it may be in detail is in the JSON.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Setting {
    /// Member of `config` in the shadow.
    pub name: String,
    /// `choice`, `text`, `integer`, `number` or `boolean`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What people call it, by language.
    pub label: Texts,
    /// What the device does as long as nobody chose.
    pub default: Option<Value>,
    /// Who may change it: `owner` or `operator`.
    pub edit: String,
}

/// One text in several languages, by ISO 639-1 code.
pub type Texts = std::collections::BTreeMap<String, String>;

/// A product to create.
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Its name.
    pub name: ProductName,
    /// Chip name.
    pub chip: String,
    /// Bytes of the flash.
    pub flash_bytes: u64,
    /// Bytes of one slot; the most that fits twice if not given.
    pub slot_bytes: Option<u64>,
    /// The signed root document: the bytes of `root.cbor`.
    pub root: Vec<u8>,
    /// `device` or `public`.
    pub download: String,
    /// `esp_idf` or `raw`.
    pub images: String,
    /// The chip revisions of its devices, if that is known.
    pub chip_revisions: Option<ChipRevisions>,
}

const PRODUCTS: [&str; 3] = ["api", "v1", "products"];

impl Client {
    /// Creates a product.
    pub async fn create_product(&self, new: &NewProduct) -> Result<Object<Product>, ClientError> {
        let mut body = json!({
            "name": new.name,
            "chip": new.chip,
            "flash_bytes": new.flash_bytes,
            "root": STANDARD.encode(&new.root),
            "download": new.download,
            "images": new.images,
            "chip_revisions": new.chip_revisions,
        });
        if let Some(slot_bytes) = new.slot_bytes {
            body["slot_bytes"] = slot_bytes.into();
        }
        self.post(&PRODUCTS, &body).await
    }

    /// Products of the organisation, by name.
    pub async fn list_products(&self, paging: &Paging) -> Result<Page<Product>, ClientError> {
        self.get(&PRODUCTS, &paging.query()).await
    }

    /// One product.
    pub async fn show_product(&self, name: &ProductName) -> Result<Object<Product>, ClientError> {
        self.get(&[&PRODUCTS[..], &[name.as_str()]].concat(), &[]).await
    }

    /// Says which chip revisions a product's devices have; `None` if that is not known.
    pub async fn set_chip_revisions(
        &self,
        name: &ProductName,
        revisions: Option<ChipRevisions>,
    ) -> Result<Object<Product>, ClientError> {
        let path = [&PRODUCTS[..], &[name.as_str(), "chip-revisions"]].concat();
        self.put(&path, &json!(revisions)).await
    }

    /// Says who decides when a product's releases are installed.
    pub async fn set_product_consent(
        &self,
        name: &ProductName,
        consent: &Consent,
    ) -> Result<Object<Product>, ClientError> {
        self.put(&[&PRODUCTS[..], &[name.as_str(), "consent"]].concat(), consent).await
    }

    /// Describes a product's settings, as the API does; null lets any be set.
    pub async fn set_product_settings(
        &self,
        name: &ProductName,
        settings: &Value,
    ) -> Result<Object<Product>, ClientError> {
        let path = [&PRODUCTS[..], &[name.as_str(), "settings"]].concat();
        self.put(&path, &json!({ "settings": settings })).await
    }
}
