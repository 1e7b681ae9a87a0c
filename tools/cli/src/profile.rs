//! What `login` remembers: one server and its token, in a file only its owner can read.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A server and how to speak to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) server: String,
    pub(crate) token: String,
    /// The certificate authority's PEM text, if the server needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_pem: Option<String>,
}

impl Profile {
    /// The profile that was written, if any.
    pub(crate) fn read() -> Result<Option<Profile>> {
        let Some(path) = path() else { return Ok(None) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {}", path.display()));
            }
        };
        let profile = toml::from_str(&text)
            .with_context(|| format!("{} is damaged; log in again", path.display()))?;
        Ok(Some(profile))
    }

    /// Replaces the profile in one step and returns where it is.
    pub(crate) fn write(&self) -> Result<PathBuf> {
        let path = path().context("neither XDG_CONFIG_HOME nor HOME is set")?;
        self.write_to(&path).with_context(|| format!("could not write {}", path.display()))?;
        Ok(path)
    }

    fn write_to(&self, path: &Path) -> Result<()> {
        let folder = path.parent().context("it has no folder")?;
        std::fs::create_dir_all(folder)?;
        // Made with mode 0600, which the rename keeps.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(toml::to_string(self)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(Path::new(&set("HOME")?).join(".config")))?;
    Some(config.join("otaru").join("profile.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn profile_is_for_its_owner_only_even_when_it_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("profile.toml");
        let mut profile =
            Profile { server: "http://127.0.0.1:8080".into(), token: "first".into(), ca_pem: None };
        profile.write_to(&path).unwrap();
        profile.token = "second".into();
        profile.write_to(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("second") && !text.contains("first"), "{text}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
