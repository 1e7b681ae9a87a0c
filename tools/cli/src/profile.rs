//! What `login` remembers: servers and their tokens by name, in a file only its owner can read.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The profile's name when none is given.
pub(crate) const DEFAULT: &str = "default";

/// A server and how to speak to it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) server: String,
    pub(crate) token: String,
    /// Whether the token was made for this profile, and ends with it.
    #[serde(default)]
    pub(crate) made_by_login: bool,
    /// The certificate authority's PEM text, if the server needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_pem: Option<String>,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
struct File {
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

impl Profile {
    /// The profile with this name, if any.
    pub(crate) fn read(name: &str) -> Result<Option<Profile>> {
        let Some(path) = path() else { return Ok(None) };
        Ok(File::read_from(&path)?.profile.remove(name))
    }

    /// Writes the profile and returns where it is.
    pub(crate) fn write(self, name: &str) -> Result<PathBuf> {
        let path = path().context("neither XDG_CONFIG_HOME nor HOME is set")?;
        let mut file = File::read_from(&path)?;
        file.profile.insert(name.to_owned(), self);
        file.write_to(&path).with_context(|| format!("could not write {}", path.display()))?;
        Ok(path)
    }

    /// Forgets the profile with this name.
    pub(crate) fn remove(name: &str) -> Result<()> {
        let Some(path) = path() else { return Ok(()) };
        let mut file = File::read_from(&path)?;
        file.profile.remove(name);
        file.write_to(&path).with_context(|| format!("could not write {}", path.display()))
    }
}

impl File {
    fn read_from(path: &Path) -> Result<File> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(File::default());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {}", path.display()));
            }
        };
        toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Replaces the file in one step.
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
    Some(config.join("otaru").join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn profile(token: &str) -> Profile {
        Profile {
            server: "http://127.0.0.1:8080".into(),
            token: token.into(),
            made_by_login: true,
            ca_pem: None,
        }
    }

    #[test]
    fn profiles_are_for_their_owner_only_even_when_one_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("config.toml");
        let mut file = File::read_from(&path).unwrap();
        file.profile.insert("home".into(), profile("first"));
        file.profile.insert("work".into(), profile("other"));
        file.write_to(&path).unwrap();
        let mut file = File::read_from(&path).unwrap();
        file.profile.insert("home".into(), profile("second"));
        file.write_to(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("second") && !text.contains("first"), "{text}");
        assert_eq!(File::read_from(&path).unwrap().profile["work"].token, "other");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
