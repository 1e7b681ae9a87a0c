//! From the setting "where images are kept" to an object store.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path as FilePath, PathBuf};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use crate::BlobError;

/// Opens the store behind a directory or a URL; the path is the prefix of every image.
///
/// `options` are the keys `object_store` knows for the URL's scheme
/// (`aws_access_key_id`, `aws_endpoint`, …); unknown keys are ignored by it.
pub(crate) fn open(
    location: &str,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<(Box<dyn ObjectStore>, Path), BlobError> {
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
    object_store::parse_url_opts(&url, options).map_err(|error| refuse(error.to_string()))
}

/// Opens a directory, creating it durably and clearing what a crash left half written.
///
/// `LocalFileSystem` writes to `<name>#<n>` and renames; `with_fsync` makes it
/// sync the file before the rename and the directory after it, which is all that
/// durability needs, so there is no second way of writing in this crate.
fn open_directory(directory: &FilePath) -> Result<(Box<dyn ObjectStore>, Path), BlobError> {
    let failed =
        |source| BlobError::Directory { directory: directory.display().to_string(), source };
    create_durably(directory).map_err(failed)?;
    remove_half_written(directory).map_err(failed)?;
    let store = LocalFileSystem::new_with_prefix(directory)?
        .with_fsync(true)
        // The folder of an upload goes with its last piece.
        .with_automatic_cleanup(true);
    Ok((Box::new(store), Path::default()))
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
