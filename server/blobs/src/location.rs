//! From the setting "where images are kept" to an object store.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use crate::BlobError;

/// How long a store over the network may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long it may be silent within an answer. A whole answer may take as long as it moves.
const READ_LIMIT: Duration = Duration::from_secs(15);

/// A request that failed is tried again so often …
const RETRIES: usize = 4;

/// … and for this long at most: whoever asked for the image waits meanwhile.
const RETRY_LIMIT: Duration = Duration::from_secs(30);

/// Where images are kept.
pub(crate) struct Location {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Before the name of every image.
    pub(crate) prefix: Path,
    /// Makes URLs by which others can read an image, where the store has such.
    pub(crate) signer: Option<Arc<dyn Signer>>,
}

/// The `AWS_…` variables of the environment.
pub(crate) fn from_environment() -> impl Iterator<Item = (String, String)> {
    let variables = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(key, _)| key.starts_with("AWS_"))
}

/// Opens the store behind a directory or a URL.
///
/// `options` are the keys `object_store` knows for the URL's scheme
/// (`aws_access_key_id`, `aws_endpoint`, …); unknown keys are ignored by it.
pub(crate) fn open(
    location: &str,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<Location, BlobError> {
    let refuse = |why: String| BlobError::Location { location: location.to_owned(), why };
    if !location.contains("://") {
        return open_directory(FilePath::new(location));
    }
    let url = Url::parse(location).map_err(|error| refuse(error.to_string()))?;
    if url.scheme() == "file" {
        let directory = url
            .to_file_path()
            .map_err(|()| refuse("a file URL needs an absolute path and no host".to_owned()))?;
        return open_directory(&directory);
    }
    match ObjectStoreScheme::parse(&url) {
        Ok((ObjectStoreScheme::AmazonS3, prefix)) => {
            open_s3(&url, prefix, options).map_err(|error| refuse(error.to_string()))
        }
        Ok(_) => Err(refuse("it is neither a directory nor an s3:// URL".to_owned())),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// Opens a bucket. Options come last, so that they override our limits.
fn open_s3(
    url: &Url,
    prefix: impl AsRef<str>,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<Location, object_store::Error> {
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_LIMIT)
        .with_read_timeout(READ_LIMIT)
        .with_timeout_disabled();
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_LIMIT,
    };
    let builder =
        AmazonS3Builder::new().with_url(url.as_str()).with_client_options(client).with_retry(retry);
    let known = options
        .into_iter()
        .filter_map(|(key, value)| key.to_ascii_lowercase().parse().ok().map(|key| (key, value)));
    let builder = known.fold(builder, |builder, (key, value)| builder.with_config(key, value));
    let store = Arc::new(builder.build()?);
    let prefix = Path::parse(prefix)?;
    Ok(Location { store: store.clone(), prefix, signer: Some(store) })
}

/// Opens a directory, creating it durably and clearing what a crash left half written.
///
/// `LocalFileSystem` writes to `<name>#<n>` and renames; `with_fsync` makes it
/// sync the file before the rename and the directory after it, which is all that
/// durability needs, so there is no second way of writing in this crate.
fn open_directory(directory: &FilePath) -> Result<Location, BlobError> {
    let failed =
        |source| BlobError::Directory { directory: directory.display().to_string(), source };
    create_durably(directory).map_err(failed)?;
    remove_half_written(directory).map_err(failed)?;
    let store = LocalFileSystem::new_with_prefix(directory)?
        .with_fsync(true)
        // The folder of an upload goes with its last piece.
        .with_automatic_cleanup(true);
    Ok(Location { store: Arc::new(store), prefix: Path::default(), signer: None })
}

/// Creates the directory and syncs every directory that got a new entry by it.
fn create_durably(directory: &FilePath) -> std::io::Result<()> {
    let missing: Vec<PathBuf> = directory
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .map(PathBuf::from)
        .collect();
    fs::create_dir_all(directory)?;
    for created in missing {
        let parent = created.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(FilePath::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn remove_half_written(directory: &FilePath) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_half_written(&path)?;
            // Fails for all but an empty one: a folder was made, and the file in it was not.
            let _ = fs::remove_dir(&path);
        }
        let is_half_written =
            path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.contains('#'));
        if is_half_written && path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
