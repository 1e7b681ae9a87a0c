//! The demo's folder: a temporary one, or one that stays and can be gone on with.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{account::Account, board::BoardName};

/// Says that the demo in the folder is whole.
const KEPT: &str = "demo.json";

/// There are keys and passwords below.
const OWNER_ONLY: u32 = 0o700;

/// What a whole demo is made of, beside what its processes keep themselves.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) bad_release: bool,
    pub(crate) things: Vec<String>,
    pub(crate) owner: Account,
    pub(crate) developer: Account,
    #[serde(default)]
    pub(crate) board: Option<BoardName>,
}

/// A folder that no other demo uses.
pub(crate) struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there, for its owner only; a temporary one without a path.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Folder> {
        let (path, temporary) = match path {
            Some(path) => (path.to_owned(), None),
            None => {
                let owner_only = Permissions::from_mode(OWNER_ONLY);
                let mut builder = tempfile::Builder::new();
                let temporary = builder.prefix("otaru-demo-").permissions(owner_only).tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let name = || path.display().to_string();
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(OWNER_ONLY).create(&path).with_context(name)?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).append(true).open(path.join("lock")).with_context(name)?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path, temporary, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("another demo runs in {}: stop it or choose another --data", name())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(name),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The demo that the folder holds, if it holds a whole one.
    pub(crate) fn kept(&self) -> anyhow::Result<Option<Kept>> {
        let path = self.path.join(KEPT);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("{} is not of this version", path.display()))
    }

    /// The first thing in the folder that setting up would stumble over.
    pub(crate) fn left_behind(&self) -> Option<&'static str> {
        ["server", "keys", "images"].into_iter().find(|name| self.path.join(name).exists())
    }

    /// Remembers the demo, readable by its owner alone.
    pub(crate) fn keep(&self, kept: &Kept) -> anyhow::Result<()> {
        let path = self.path.join(KEPT);
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&path)?.write_all(&serde_json::to_vec_pretty(kept)?)
        };
        write().with_context(|| format!("could not write {}", path.display()))
    }

    /// Removes the folder if it is a temporary one.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        let name = self.path.display();
        match self.temporary {
            Some(temporary) => {
                temporary.close().with_context(|| format!("could not remove {name}"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_demo_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("demo");
        let first = Folder::open(Some(&path)).unwrap();
        let error = Folder::open(Some(&path)).err().expect("it is in use").to_string();
        assert!(error.starts_with("another demo runs in "), "{error}");
        first.end().unwrap();
        assert!(Folder::open(Some(&path)).is_ok());
    }

    #[test]
    fn a_temporary_folder_goes_away_and_another_stays() {
        let home = tempfile::tempdir().unwrap();
        let stays = Folder::open(Some(home.path())).unwrap();
        stays.end().unwrap();
        assert!(home.path().exists());
        let goes = Folder::open(None).unwrap();
        let path = goes.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        goes.end().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_demo_is_remembered_whole() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(Some(home.path())).unwrap();
        assert!(folder.kept().unwrap().is_none());
        assert_eq!(folder.left_behind(), None);
        let owner = Account::new("owner@example.org").unwrap();
        let things = vec!["clock-01".to_owned()];
        let board = Some(BoardName::Virt);
        let (bad_release, developer) = (true, owner.clone());
        let kept = Kept { bad_release, things, owner, developer, board };
        folder.keep(&kept).unwrap();
        fs::create_dir(home.path().join("keys")).unwrap();
        let read = folder.kept().unwrap().expect("it was kept");
        assert_eq!((read.owner.password, read.board), (kept.owner.password, board));
        assert_eq!(folder.left_behind(), Some("keys"));
        fs::write(home.path().join(KEPT), "{}").unwrap();
        assert!(folder.kept().is_err());
    }
}
