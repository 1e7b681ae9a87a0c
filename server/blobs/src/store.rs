//! Putting, finding and reading images.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::Method;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use otaru_wire::Digest;
use url::Url;

use crate::BlobError;
use crate::cache::Cache;
use crate::location::{self, Location};

/// How many bytes of images stay in memory unless configured: a handful of
/// the 1–4 MiB images that an ESP32 takes, for the releases being rolled out.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// The longest piece of a stream: what a slow connection holds of an image
/// that is not in the cache. With TLS and the head of an answer it is one
/// segment of the kernel's, of which there are 64 KiB at most.
pub const PIECE_BYTES: u64 = 60 * 1024;

/// All images of the server; cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) location: Location,
    cache: Cache,
    /// Held while an image is read whole. A thousand devices that start to
    /// download together cause one read, and memory grows by one image at a time.
    loading: tokio::sync::Mutex<()>,
}

impl Blobs {
    /// Opens a directory (created if missing) or a URL such as `s3://bucket/prefix`.
    ///
    /// A URL takes its credentials and endpoint from the `AWS_…` variables of
    /// the environment, as `object_store` documents them.
    pub fn open(url_or_dir: &str) -> Result<Blobs, BlobError> {
        Blobs::open_with(url_or_dir, location::from_environment(), DEFAULT_CACHE_BYTES)
    }

    /// Opens a directory or URL with these store options and this much cache.
    pub fn open_with(
        url_or_dir: &str,
        options: impl IntoIterator<Item = (String, String)>,
        cache_bytes: u64,
    ) -> Result<Blobs, BlobError> {
        let location = location::open(url_or_dir, options)?;
        let cache = Cache::new(cache_bytes);
        Ok(Blobs { shared: Arc::new(Shared { location, cache, loading: Default::default() }) })
    }

    /// Stores an image under its SHA-256; on disk it is synced before this returns.
    ///
    /// Storing the same bytes again changes nothing a reader can see. It writes
    /// them anew all the same: an earlier copy may be damaged, or not synced yet
    /// by a call still running.
    pub async fn put(&self, image: Bytes) -> Result<Digest, BlobError> {
        let hashed = image.clone();
        let digest = on_blocking_thread(move || Digest::of(&hashed)).await;
        self.shared.location.store.put(&self.path(&digest), image.into()).await?;
        Ok(digest)
    }

    /// Finds an image and its length.
    pub async fn find(&self, digest: &Digest) -> Result<Blob, BlobError> {
        let len_bytes = self.len(digest).await?;
        Ok(Blob { blobs: self.clone(), digest: *digest, len_bytes })
    }

    /// The length of an image in bytes.
    pub async fn len(&self, digest: &Digest) -> Result<u64, BlobError> {
        if let Some(bytes) = self.shared.cache.get(digest) {
            return Ok(bytes.len() as u64);
        }
        let found = self.shared.location.store.head(&self.path(digest)).await;
        Ok(found.map_err(|error| not_found(error, digest))?.size)
    }

    /// Whether an image is stored.
    pub async fn exists(&self, digest: &Digest) -> Result<bool, BlobError> {
        match self.len(digest).await {
            Ok(_) => Ok(true),
            Err(BlobError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A whole image, checked against its digest when it was read into memory.
    pub async fn get(&self, digest: &Digest) -> Result<Bytes, BlobError> {
        if let Some(bytes) = self.shared.cache.get(digest) {
            return Ok(bytes);
        }
        let _one_at_a_time = self.shared.loading.lock().await;
        if let Some(bytes) = self.shared.cache.get(digest) {
            return Ok(bytes);
        }
        let answer = self.shared.location.store.get(&self.path(digest)).await;
        let bytes = answer.map_err(|error| not_found(error, digest))?.bytes().await?;
        let hashed = bytes.clone();
        let found = on_blocking_thread(move || Digest::of(&hashed)).await;
        if found != *digest {
            return Err(BlobError::Corrupt { expected: *digest, found });
        }
        self.shared.cache.insert(*digest, bytes.clone());
        Ok(bytes)
    }

    /// The bytes of a range, which must lie within the image.
    ///
    /// The first range of an image that fits the cache reads it whole; a larger
    /// image is read in place and not checked, its reader has to.
    pub async fn get_range(&self, digest: &Digest, range: Range<u64>) -> Result<Bytes, BlobError> {
        let len_bytes = self.len(digest).await?;
        if range.start > range.end || range.end > len_bytes {
            let Range { start, end } = range;
            return Err(BlobError::OutOfRange { start, end, len_bytes });
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        if self.shared.cache.takes(len_bytes) {
            let bytes = self.get(digest).await?;
            return Ok(bytes.slice(range.start as usize..range.end as usize));
        }
        let read = self.shared.location.store.get_range(&self.path(digest), range).await;
        read.map_err(|error| not_found(error, digest))
    }

    /// A URL by which anybody can read the image until `lifetime` is over, straight from the
    /// store; `None` where images are kept on disk.
    ///
    /// # Errors
    /// [`BlobError::Store`] where the store's credentials cannot be had.
    pub async fn presign(
        &self,
        digest: &Digest,
        lifetime: Duration,
    ) -> Result<Option<Url>, BlobError> {
        let Some(signer) = &self.shared.location.signer else { return Ok(None) };
        Ok(Some(signer.signed_url(Method::GET, &self.path(digest), lifetime).await?))
    }

    /// Whether [`Blobs::presign`] makes URLs.
    pub fn can_presign(&self) -> bool {
        self.shared.location.signer.is_some()
    }

    /// Removes an image; removing one that is not stored is no error.
    pub async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        self.shared.cache.remove(digest);
        match self.shared.location.store.delete(&self.path(digest)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Images that were stored before `time` and not since.
    pub async fn stored_before(&self, time: SystemTime) -> Result<Vec<Digest>, BlobError> {
        let prefix = self.shared.location.prefix.clone();
        // Not below: there are the pieces of uploads.
        let listed = self.shared.location.store.list_with_delimiter(Some(&prefix)).await?;
        let old = listed.objects.iter().filter(|meta| SystemTime::from(meta.last_modified) < time);
        Ok(old.filter_map(|meta| meta.location.filename()?.parse().ok()).collect())
    }

    /// Fails when the store cannot be reached at all.
    pub async fn check(&self) -> Result<(), BlobError> {
        self.exists(&Digest::of(b"")).await.map(drop)
    }

    fn path(&self, digest: &Digest) -> Path {
        self.shared.location.prefix.clone().join(digest.to_string())
    }
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blobs({})", self.shared.location.store)
    }
}

/// One stored image, ready to be streamed.
#[derive(Clone, Debug)]
pub struct Blob {
    blobs: Blobs,
    digest: Digest,
    len_bytes: u64,
}

impl Blob {
    /// The SHA-256 it is stored under.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its length.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The first piece of a range that lies within the image, if it is in memory.
    pub fn piece_now(&self, range: &Range<u64>) -> Option<Bytes> {
        let end = range.end.min(range.start + PIECE_BYTES);
        let bytes = self.blobs.shared.cache.get(&self.digest)?;
        (range.start < end && end <= self.len_bytes)
            .then(|| bytes.slice(range.start as usize..end as usize))
    }

    /// Streams a range in pieces of at most [`PIECE_BYTES`].
    ///
    /// The stream ends after its first error.
    pub fn pieces(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, BlobError>> {
        let blob = self.clone();
        stream::try_unfold(range, move |left| {
            let blob = blob.clone();
            async move {
                if left.is_empty() {
                    return Ok(None);
                }
                let end = left.end.min(left.start + PIECE_BYTES);
                let piece = blob.blobs.get_range(&blob.digest, left.start..end).await?;
                Ok(Some((piece, end..left.end)))
            }
        })
        .boxed()
    }
}

fn not_found(error: object_store::Error, digest: &Digest) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound(*digest),
        error => BlobError::Store(error),
    }
}

/// Hashing a large image takes tens of milliseconds, too long for a thread
/// that also serves connections.
async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("hashing does not panic and is never aborted")
}
