//! The folder a device is provisioned from. Its key exists only in the server's answer, so the
//! folder is made ready before the server is asked.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use otaru_client::NewDevice;
use otaru_release::PublicKey;
use otaru_wire::ThingName;

use crate::commands::Context;
use crate::keys;

const FILES: [&str; 5] = ["cert.pem", "key.pem", "ca.pem", "root.pub", "device.toml"];

/// Above what the files take together, in bytes.
const ROOM: usize = 32 * 1024;

/// A folder that can be written and has none of the files.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Those that were not there before, the innermost first.
    made: Vec<PathBuf>,
}

impl Folder {
    /// Makes the folder, for its owner alone, and tries it.
    pub(super) fn prepare(path: PathBuf) -> Result<Folder> {
        let missing = path.ancestors().take_while(|above| !above.exists());
        let made = missing.map(Path::to_owned).collect();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("could not make {}", path.display()))?;
        if let Some(file) = FILES.map(|name| path.join(name)).into_iter().find(|file| file.exists())
        {
            bail!("{} exists; give an empty folder", file.display());
        }
        let tried = try_out(&path);
        let tried = tried.with_context(|| format!("could not write into {}", path.display()));
        let folder = Folder { path, made };
        folder.unless_done(tried)?;
        Ok(folder)
    }

    /// Takes the folder away again if nothing came of it and nothing is in it.
    pub(super) fn unless_done<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            // Whatever has something in it stays.
            let _ = self.made.iter().try_for_each(std::fs::remove_dir);
        }
        outcome
    }

    /// Writes what the device must have.
    pub(super) fn write(&self, thing: &ThingName, device: &NewDevice) -> Result<()> {
        self.write_all(device).with_context(|| {
            format!(
                "{thing} has a certificate whose key is lost; \
                 `otaru device renew {thing} --out DIR` issues another"
            )
        })
    }

    fn write_all(&self, device: &NewDevice) -> Result<()> {
        // A device that trusts nothing, or anything, must not leave the workbench.
        PublicKey::from_file(&device.root_pub).context("the server's root key is refused")?;
        let contents = [
            (Some(&device.cert_pem), 0o644),
            // Absent where the device has a key of its own.
            (device.key_pem.as_ref(), 0o600),
            (Some(&device.ca_pem), 0o644),
            (Some(&device.root_pub), 0o644),
            (Some(&device.device_toml), 0o644),
        ];
        for (name, (text, mode)) in FILES.iter().zip(contents) {
            if let Some(text) = text {
                keys::write_new(&self.path.join(name), text.as_bytes(), mode)?;
            }
        }
        Ok(())
    }

    /// Says what is in it.
    pub(super) fn print(
        &self,
        context: &Context<'_>,
        thing: &ThingName,
        device: &NewDevice,
    ) -> Result<()> {
        let product = device.device["product"].as_str().unwrap_or_default().to_owned();
        let folder = self.path.display().to_string();
        let lines = [("thing", thing.to_string()), ("product", product), ("folder", folder)];
        Ok(context.printer.object(&device.device, &lines)?)
    }
}

/// Finds out before anything is issued whether the folder can be written and has room.
fn try_out(folder: &Path) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&[0; ROOM])?;
    file.as_file().sync_all()?;
    file.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_is_found_out_before() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "not a folder").unwrap();
        assert!(Folder::prepare(file.clone()).is_err());
        assert!(Folder::prepare(file.join("below")).is_err());
        // Nobody, root neither, can write there.
        assert!(Folder::prepare(PathBuf::from("/proc/self")).is_err());

        let fresh = home.path().join("a/b");
        let folder = Folder::prepare(fresh.clone()).unwrap();
        assert_eq!(std::fs::read_dir(&fresh).unwrap().count(), 0, "nothing is left of the trial");
        folder.unless_done(Ok(())).unwrap();
        assert!(fresh.exists());
        assert!(folder.unless_done::<()>(Err(anyhow::anyhow!("refused"))).is_err());
        assert!(!home.path().join("a").exists(), "nothing is left of what it made");
        Folder::prepare(fresh.clone()).unwrap();
        std::fs::write(fresh.join("key.pem"), "precious").unwrap();
        assert!(folder.unless_done::<()>(Err(anyhow::anyhow!("refused"))).is_err());
        assert!(fresh.join("key.pem").exists());
        let error = Folder::prepare(fresh).unwrap_err().to_string();
        assert!(error.ends_with("key.pem exists; give an empty folder"), "{error}");
    }

    #[test]
    fn a_key_that_could_not_be_kept_is_said_to_be_lost() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(home.path().join("clock-01")).unwrap();
        let device = NewDevice {
            device: serde_json::Value::Null,
            cert_pem: String::new(),
            key_pem: Some(String::new()),
            ca_pem: String::new(),
            root_pub: "no key".to_owned(),
            device_toml: String::new(),
        };
        let error = folder.write(&"clock-01".parse().unwrap(), &device).unwrap_err();
        assert!(error.to_string().contains("`otaru device renew clock-01 --out DIR`"), "{error}");
    }
}
