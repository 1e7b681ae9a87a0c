use bytes::Bytes;
use otaru_wire::{ProductName, ReleaseVersion};
use reqwest::Method;
use serde::Deserialize;

use crate::{Client, ClientError, Page, Paging};

/// An image that was found in the bucket that the server watches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BucketImage {
    /// Where it is, below the watched folder.
    pub path: String,
    /// The product that its path names.
    pub product: Option<String>,
    /// The version that its path names.
    pub version: Option<String>,
    /// `waiting` for its signature, `signed`, or `refused`.
    pub state: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of an image that was taken.
    pub sha256: Option<String>,
    /// Why it was refused.
    pub code: Option<String>,
    /// That, for people.
    pub detail: Option<String>,
    /// When it was put there, RFC 3339.
    pub modified_at: String,
    /// When the server looked at it, RFC 3339.
    pub found_at: String,
}

const PATH: [&str; 3] = ["api", "v1", "bucket-watch"];

impl Client {
    /// What was found in the watched bucket, by path.
    pub async fn list_bucket_images(
        &self,
        paging: &Paging,
    ) -> Result<Page<BucketImage>, ClientError> {
        self.get(&PATH, &paging.query()).await
    }

    /// Has the bucket looked at now.
    pub async fn nudge_bucket_watch(&self) -> Result<(), ClientError> {
        self.send(self.request(Method::POST, &PATH)).await.map(drop)
    }

    /// An image that was found in the bucket, to be signed.
    pub async fn fetch_bucket_image(
        &self,
        product: &ProductName,
        version: &ReleaseVersion,
    ) -> Result<Bytes, ClientError> {
        let path = [&PATH[..], &[product.as_str(), version.as_str()]].concat();
        let response = self.send(self.request(Method::GET, &path)).await?;
        response.bytes().await.map_err(|source| self.unreachable(source))
    }
}
