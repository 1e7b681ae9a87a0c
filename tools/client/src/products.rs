use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_wire::ProductName;
use serde::Deserialize;
use serde_json::json;

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
}

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
}
