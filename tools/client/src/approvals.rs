use otaru_wire::{ProductName, ReleaseVersion};
use serde::Deserialize;
use serde_json::json;

use crate::releases::releases;
use crate::{Client, ClientError, Object, Product, Release};

/// The word of a second person about a release.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Approval {
    /// `waiting`, `approved` or `rejected`.
    pub state: String,
    /// E-mail address of who published it; `None` of a program that acts for no person.
    pub asked_by: Option<String>,
    /// E-mail address of who approved or rejected it.
    pub by: Option<String>,
    /// When they did, RFC 3339.
    pub at: Option<String>,
    /// What they said about it.
    pub comment: Option<String>,
}

impl Client {
    /// Says whether releases of a product wait until a second person approved them.
    pub async fn set_product_approval(
        &self,
        product: &ProductName,
        required: bool,
    ) -> Result<Object<Product>, ClientError> {
        let path = ["api", "v1", "products", product.as_str(), "approval"];
        self.put(&path, &json!({ "required": required })).await
    }

    /// Approves a release that waits: from then on devices are offered it.
    pub async fn approve_release(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
        comment: Option<&str>,
    ) -> Result<Object<Release>, ClientError> {
        let path = [&releases(product)[..], &[version.as_str(), "approve"]].concat();
        self.post(&path, &json!({ "comment": comment })).await
    }

    /// Rejects a release that waits, for good.
    pub async fn reject_release(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
        comment: Option<&str>,
    ) -> Result<Object<Release>, ClientError> {
        let path = [&releases(product)[..], &[version.as_str(), "reject"]].concat();
        self.post(&path, &json!({ "comment": comment })).await
    }
}
