//! A bucket that somebody else puts images into.

use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta};

use crate::BlobError;
use crate::location::{self, Location};

/// A folder of a bucket, for reading.
pub struct Bucket {
    location: Location,
}

/// Something that is in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketObject {
    /// Where it is, below the folder.
    pub path: String,
    /// The bucket's word for its bytes.
    pub tag: String,
    /// Its length.
    pub size_bytes: u64,
    /// When it was put there, in milliseconds since the epoch.
    pub modified_at: i64,
}

impl Bucket {
    /// Opens `s3://bucket/prefix`, with the `AWS_…` variables of the environment.
    ///
    /// # Errors
    /// [`BlobError::Location`].
    pub fn open(url: &str) -> Result<Bucket, BlobError> {
        Bucket::open_with(url, location::from_environment())
    }

    /// Opens `s3://bucket/prefix` with these store options.
    ///
    /// # Errors
    /// [`BlobError::Location`].
    pub fn open_with(
        url: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Bucket, BlobError> {
        if !url.starts_with("s3://") {
            let (location, why) = (url.to_owned(), "it is no s3:// URL".to_owned());
            return Err(BlobError::Location { location, why });
        }
        Ok(Bucket { location: location::open(url, options)? })
    }

    /// What is in a folder of it, and below; at most so many objects.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn list(&self, folder: &str, most: usize) -> Result<Vec<BucketObject>, BlobError> {
        let folder = self.location.prefix.clone().join(folder);
        let listed = self.location.store.list(Some(&folder)).take(most);
        let listed: Vec<ObjectMeta> = listed.try_collect().await?;
        Ok(listed.iter().filter_map(|meta| self.object(meta)).collect())
    }

    fn object(&self, meta: &ObjectMeta) -> Option<BucketObject> {
        let parts = meta.location.prefix_match(&self.location.prefix)?;
        let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
        Some(BucketObject {
            path: parts.join("/"),
            tag: meta.e_tag.clone().unwrap_or_default(),
            size_bytes: meta.size,
            modified_at: meta.last_modified.timestamp_millis(),
        })
    }

    /// The bytes of an object as it was listed; an error if it has changed since.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn get(&self, object: &BucketObject) -> Result<Bytes, BlobError> {
        let parts = object.path.split('/');
        let path = parts.fold(self.location.prefix.clone(), |path: Path, part| path.join(part));
        let tag = Some(object.tag.clone()).filter(|tag| !tag.is_empty());
        let options = GetOptions { if_match: tag, ..GetOptions::default() };
        Ok(self.location.store.get_opts(&path, options).await?.bytes().await?)
    }
}
