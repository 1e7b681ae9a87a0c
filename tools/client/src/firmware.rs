//! What devices fetch, for who checks it: nothing of it is believed here.

use bytes::Bytes;
use otaru_wire::{ProductName, ReleaseVersion};
use reqwest::Method;

use crate::{Client, ClientError};

impl Client {
    /// The image of a release.
    pub async fn fetch_image(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Bytes, ClientError> {
        self.fetch(&["firmware", product.as_str(), &format!("{version}.bin")]).await
    }

    /// The signed manifest of a release.
    pub async fn fetch_manifest(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Bytes, ClientError> {
        self.fetch(&["firmware", product.as_str(), &format!("{version}.manifest")]).await
    }

    /// All signed root documents of a product, number 1 first.
    pub async fn fetch_roots(&self, product: &ProductName) -> Result<Vec<Bytes>, ClientError> {
        let mut roots = Vec::new();
        loop {
            let number = (roots.len() + 1).to_string();
            match self.fetch(&["firmware", product.as_str(), "root", &number]).await {
                Ok(root) => roots.push(root),
                Err(error) if error.status() == Some(404) && !roots.is_empty() => {
                    return Ok(roots);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn fetch(&self, path: &[&str]) -> Result<Bytes, ClientError> {
        let response = self.send(self.request(Method::GET, path)).await?;
        response.bytes().await.map_err(|source| self.unreachable(source))
    }
}
