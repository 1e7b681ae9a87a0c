use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_wire::ProductName;
use serde::Deserialize;
use serde_json::json;

use crate::{Client, ClientError, Object};

/// The key that signs timestamps and orders, where a root document names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerKey {
    /// Its id, 16 hex digits.
    pub key_id: String,
    /// Its public half, as in `root.pub`.
    pub public_key: String,
}

/// A root document as the server read it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Root {
    /// Its number, from 1.
    pub number: u64,
}

const SERVER_KEY: [&str; 3] = ["api", "v1", "server-key"];

impl Client {
    /// The server's newest key.
    pub async fn show_server_key(&self) -> Result<Object<ServerKey>, ClientError> {
        self.get(&SERVER_KEY, &[]).await
    }

    /// Makes a server key, which signs nothing before a root document names it.
    pub async fn create_server_key(&self) -> Result<Object<ServerKey>, ClientError> {
        self.post(&SERVER_KEY, &json!({})).await
    }

    /// Adds the root document that follows a product's newest.
    pub async fn add_root(
        &self,
        product: &ProductName,
        document: &[u8],
    ) -> Result<Object<Root>, ClientError> {
        let body = json!({ "root": STANDARD.encode(document) });
        self.post(&["api", "v1", "products", product.as_str(), "roots"], &body).await
    }
}
