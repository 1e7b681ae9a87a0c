//! The key that seals secrets in the database, in a file beside it.

use std::{fs, io, path::PathBuf};

use anyhow::{Context, bail};
use otaru_operations::{App, SealingKey, check_access_keys};
use zeroize::Zeroizing;

use crate::{config::Config, serve::write_private};

const FILE: &str = "secrets.key";

/// The server's key, and where it came from.
pub(crate) struct Secrets {
    pub(crate) key: SealingKey,
    origin: Origin,
}

enum Origin {
    Settings,
    File(PathBuf),
    /// There was none: it is written once it is known that it opens all there is.
    Fresh(PathBuf),
}

impl Secrets {
    /// The key of the settings, that of the data folder, or a fresh one for it.
    pub(crate) fn open(config: &Config) -> anyhow::Result<Secrets> {
        if let Some(key) = config.secrets_key.clone() {
            return Ok(Secrets { key, origin: Origin::Settings });
        }
        let path = config.data.join(FILE);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => {
                let key = SealingKey::parse(&text);
                let key = key.with_context(|| format!("{}", path.display()))?;
                Ok(Secrets { key, origin: Origin::File(path) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Secrets { key: SealingKey::random()?, origin: Origin::Fresh(path) })
            }
            Err(error) => Err(error).with_context(|| format!("{}", path.display())),
        }
    }

    /// Refuses to go on with a key that does not open what is sealed, then keeps a fresh one.
    pub(crate) async fn settle(&self, app: &App, config: &Config) -> anyhow::Result<()> {
        if let Err(unreadable) = check_access_keys(app, config.revoke_unreadable_keys).await? {
            let origin = match &self.origin {
                Origin::Settings => "secrets.key in the settings is not the one".to_owned(),
                Origin::File(path) => format!("{} is not the one", path.display()),
                Origin::Fresh(path) => format!("{} is missing, the one", path.display()),
            };
            bail!(
                "{unreadable}; {origin} they were made with. Put it back, or start once with \
                 --revoke-unreadable-keys and make new access keys"
            );
        }
        if let Origin::Fresh(path) = &self.origin {
            write_private(path, &self.key.to_text())
                .with_context(|| format!("{}", path.display()))?;
        }
        Ok(())
    }
}
