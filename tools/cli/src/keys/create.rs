use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use otaru_release::{Algorithm, PublicKey, RootDocument, SecretKey};
use zeroize::Zeroizing;

use super::{KeyRole, KeySecret, Passphrase, secret_key_to_text};

/// Why no keys were written. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum NewKeysError {
    /// Keys are never overwritten: a lost root key cannot be made again.
    #[error("{0} exists, and keys are never overwritten")]
    Exists(PathBuf),
    /// A file or the folder could not be written.
    #[error("could not write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The machine has no randomness to give.
    #[error("could not get random bytes")]
    Random(#[source] getrandom::Error),
}

/// A fresh root key and release key.
pub struct KeySet {
    root: KeySecret,
    release: KeySecret,
}

impl KeySet {
    /// Draws two keys from the system's generator.
    pub fn generate(algorithm: Algorithm) -> Result<KeySet, NewKeysError> {
        let draw = || KeySecret::random(algorithm).map_err(NewKeysError::Random);
        Ok(KeySet { root: draw()?, release: draw()? })
    }

    /// The key that signs root documents.
    pub fn root_key(&self) -> SecretKey {
        self.root.key()
    }

    /// The key that signs manifests.
    pub fn release_key(&self) -> SecretKey {
        self.release.key()
    }

    /// Root document 1, which names the release key; signed by the root key.
    pub fn root_document(&self) -> Vec<u8> {
        let root = self.root_key();
        RootDocument::first(root.public_key(), self.release_key().public_key()).sign(&root)
    }

    /// Writes `root.key`, `release.key`, `root.cbor` and `root.pub` into `folder`.
    ///
    /// Keys get mode 0600 and are sealed if there is a passphrase. Either all
    /// four files are written or none; what exists is never overwritten.
    pub fn write(
        &self,
        folder: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), NewKeysError> {
        let root_public: PublicKey = self.root_key().public_key();
        let files = [
            ("root.key".to_owned(), 0o600, key_file(KeyRole::Root, &self.root, passphrase)?),
            (
                "release.key".to_owned(),
                0o600,
                key_file(KeyRole::Release, &self.release, passphrase)?,
            ),
            ("root.cbor".to_owned(), 0o644, Zeroizing::new(self.root_document())),
            (
                "root.pub".to_owned(),
                0o644,
                Zeroizing::new(root_public.to_file("root key").into_bytes()),
            ),
        ];
        write_all(folder, &files)
    }
}

/// A file to write: its name, mode and contents.
pub(crate) type NewFile = (String, u32, Zeroizing<Vec<u8>>);

/// Writes all of the files into `folder`, or none; what exists is never overwritten.
pub(crate) fn write_all(folder: &Path, files: &[NewFile]) -> Result<(), NewKeysError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| NewKeysError::Write { path: folder.to_owned(), source })?;
    let mut written: Vec<PathBuf> = Vec::new();
    let result = files.iter().try_for_each(|(name, mode, contents)| {
        let path = folder.join(name);
        write_new(&path, contents, *mode)?;
        written.push(path);
        Ok(())
    });
    if result.is_err() {
        for path in written {
            // Best effort: the first failure is the one worth telling.
            let _ = std::fs::remove_file(path);
        }
    }
    result
}

/// The contents of a key file, sealed if there is a passphrase.
pub(crate) fn key_file(
    role: KeyRole,
    secret: &KeySecret,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<Vec<u8>>, NewKeysError> {
    let mut fresh = [0; 40];
    getrandom::fill(&mut fresh).map_err(NewKeysError::Random)?;
    let text = secret_key_to_text(role, secret, passphrase, |bytes| *bytes = fresh);
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

/// Writes a new file in one step: whole and on disk, or not there.
pub(crate) fn write_new(path: &Path, contents: &[u8], mode: u32) -> Result<(), NewKeysError> {
    let failed = |source| NewKeysError::Write { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(contents).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => NewKeysError::Exists(path.to_owned()),
        _ => failed(error.error),
    })?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn listing(folder: &Path) -> BTreeMap<String, u32> {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                (entry.file_name().into_string().unwrap(), mode)
            })
            .collect()
    }

    #[test]
    fn four_files_are_written_and_belong_together() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeySet::generate(Algorithm::Ed25519).unwrap();
        keys.write(folder.path(), None).unwrap();
        let expected = [
            ("release.key", 0o600),
            ("root.cbor", 0o644),
            ("root.key", 0o600),
            ("root.pub", 0o644),
        ];
        assert_eq!(
            listing(folder.path()),
            expected.map(|(name, mode)| (name.to_owned(), mode)).into()
        );
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        let root_public =
            PublicKey::from_file(&String::from_utf8(read("root.pub")).unwrap()).unwrap();
        let root = RootDocument::verify(&read("root.cbor"), &[root_public]).unwrap();
        assert_eq!(root.release_keys, [keys.release_key().public_key()]);
        assert_eq!(root.number, 1);
    }

    #[test]
    fn existing_files_are_never_overwritten_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.cbor"), "precious").unwrap();
        let error =
            KeySet::generate(Algorithm::Ed25519).unwrap().write(folder.path(), None).unwrap_err();
        assert!(matches!(error, NewKeysError::Exists(path) if path.ends_with("root.cbor")));
        assert_eq!(listing(folder.path()).len(), 1);
        assert_eq!(std::fs::read(folder.path().join("root.cbor")).unwrap(), b"precious");
    }
}
