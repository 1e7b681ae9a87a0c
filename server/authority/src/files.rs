//! Files that are whole or absent: written aside, synced, renamed.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::AuthorityError;

#[cfg(test)]
thread_local! {
    /// How many steps are left before power goes, if it does.
    static STEPS_LEFT: std::cell::Cell<Option<u32>> = const { std::cell::Cell::new(None) };
}

/// Has power go after so many more changes of files on this thread.
#[cfg(test)]
pub(crate) fn lose_power_after(steps: Option<u32>) {
    STEPS_LEFT.set(steps);
}

/// Before each change of a file: in tests power may go here.
fn step() -> io::Result<()> {
    #[cfg(test)]
    match STEPS_LEFT.get() {
        Some(0) => return Err(io::Error::other("power is gone")),
        Some(left) => STEPS_LEFT.set(Some(left - 1)),
        None => {}
    }
    Ok(())
}

/// What the group and all others may do.
const FOR_OTHERS: u32 = 0o077;

/// Who may read a file.
#[derive(Clone, Copy)]
pub(crate) enum Secrecy {
    /// Anyone: certificates.
    Public,
    /// Only the server's user: private keys.
    Private,
}

impl Secrecy {
    fn mode(self) -> u32 {
        match self {
            Secrecy::Public => 0o644,
            Secrecy::Private => 0o600,
        }
    }
}

/// Creates the directory, for the server's user only, unless it exists.
pub(crate) fn create_dir(dir: &Path) -> Result<(), AuthorityError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| failed("create", dir, source))
}

/// Takes from everybody but the server's user what they may do with a private file or directory.
/// Says whether they could do anything; nothing happens if it does not exist.
pub(crate) fn keep_private(path: &Path) -> Result<bool, AuthorityError> {
    let mode = match fs::metadata(path) {
        Ok(found) => found.permissions().mode(),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(failed("read", path, source)),
    };
    if mode & FOR_OTHERS == 0 {
        return Ok(false);
    }
    let private = Permissions::from_mode(mode & !FOR_OTHERS & 0o7777);
    fs::set_permissions(path, private).map_err(|source| failed("protect", path, source))?;
    Ok(true)
}

/// By what it is seen that a file is another one than before, without reading it.
pub(crate) type Stamp = (u64, u64, i64, i64);

/// The stamp of a file; `None` if there is none.
pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

/// Removes what a crash left beside a file while it was written.
pub(crate) fn remove_left_over(path: &Path) -> Result<(), AuthorityError> {
    let aside = path.with_extension("new");
    match fs::remove_file(&aside) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove", &aside, source))
        }
        _ => Ok(()),
    }
}

/// Reads a text file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("read", path, source)),
    }
}

/// Puts `text` at `path` so that a crash leaves the old file or the new one, whole and durable.
pub(crate) fn write(path: &Path, text: &str, secrecy: Secrecy) -> Result<(), AuthorityError> {
    replace(path, text, secrecy).map_err(|source| failed("write", path, source))
}

/// Moves a file over another, durably; nothing happens if it does not exist.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), AuthorityError> {
    match step().and_then(|()| fs::rename(from, to)).and_then(|()| sync_folder_of(to)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("write", to, source)),
        _ => Ok(()),
    }
}

/// Removes a file, durably; nothing happens if it does not exist.
pub(crate) fn remove(path: &Path) -> Result<(), AuthorityError> {
    match step().and_then(|()| fs::remove_file(path)).and_then(|()| sync_folder_of(path)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove", path, source))
        }
        _ => Ok(()),
    }
}

fn replace(path: &Path, text: &str, secrecy: Secrecy) -> io::Result<()> {
    let aside = path.with_extension("new");
    // Left over from a crash; removed so that the mode below is the one that counts.
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    step()?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(secrecy.mode()).open(&aside)?;
    step()?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    step()?;
    fs::rename(&aside, path)?;
    sync_folder_of(path)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    step()?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> AuthorityError {
    AuthorityError::File { action, path: path.to_owned(), source }
}
