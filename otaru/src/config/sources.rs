//! Where settings come from that are no flags: the environment, then the file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::{env, fs};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;

/// Settings of the file, or of `otaru.toml` in the data folder if there is one, under those of
/// the environment.
pub(super) fn read<T: DeserializeOwned>(file: Option<&Path>, data: &Path) -> anyhow::Result<T> {
    let default = data.join("otaru.toml");
    let path = match file {
        Some(path) => Some(path.to_owned()),
        None => default.exists().then_some(default),
    };
    let mut sources = config::Config::builder();
    if let Some(path) = &path {
        sources =
            sources.add_source(config::File::from(path.as_path()).format(config::FileFormat::Toml));
    }
    for (key, value) in environment(env::vars_os())? {
        sources = if is_list(&key) {
            let names: Vec<&str> = value.split(',').map(str::trim).collect();
            sources.set_override(key, names)?
        } else {
            sources.set_override(key, value)?
        };
    }
    let settings = sources.build().context("could not read the settings")?;
    settings.try_deserialize().context("settings that are not known or have the wrong type")
}

/// Whether a setting is several texts, with commas between them where one line has them all.
fn is_list(key: &str) -> bool {
    let lists = [
        "server.tls_names",
        "patches.codecs",
        "outbound.private_hosts",
        "second_factor.required",
        "authority.signer",
    ];
    let of_provider = [".scopes", ".audiences"].iter().any(|name| key.ends_with(name));
    lists.contains(&key) || (key.starts_with("oidc.") && of_provider)
}

/// `OTARU__SECTION__KEY`, and `OTARU__SECTION__KEY_FILE` for what no environment should hold.
fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (name, value) in variables {
        // Other programs' variables may be anything.
        let Some(name) = name.to_str().filter(|name| name.starts_with("OTARU__")) else { continue };
        let value = value.to_str().with_context(|| format!("{name} is not UTF-8"))?;
        let key = name["OTARU__".len()..].to_lowercase().replace("__", ".");
        let (key, value) = match key.strip_suffix("_file") {
            None => (key, value.to_owned()),
            Some(key) => {
                let content =
                    fs::read_to_string(value).with_context(|| format!("{name}={value}"))?;
                (key.to_owned(), content.trim_end().to_owned())
            }
        };
        if found.insert(key, value).is_some() {
            bail!("{name} says again what another variable says, in the environment or in a file");
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &[(&str, &str)]) -> anyhow::Result<BTreeMap<String, String>> {
        environment(all.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn only_our_variables_are_settings() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("url");
        fs::write(&secret, "postgres://otaru:secret@db/otaru\n").unwrap();
        let secret = secret.to_str().unwrap();
        let found = variables(&[
            ("PATH", "/bin"),
            ("OTARU_TOKEN", "otaru_x"),
            ("OTARU__SERVER__TLS_NAMES", "ota.example, 192.0.2.1"),
            ("OTARU__DATABASE__URL_FILE", secret),
        ]);
        let expected = [
            ("database.url", "postgres://otaru:secret@db/otaru"),
            ("server.tls_names", "ota.example, 192.0.2.1"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found.unwrap(), BTreeMap::from(expected));
        let twice = [("OTARU__DATABASE__URL", "sqlite:x"), ("OTARU__DATABASE__URL_FILE", secret)];
        assert!(variables(&twice).is_err());
    }

    #[test]
    fn a_secrets_key_comes_from_a_file_that_a_variable_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, format!("{}\n", "0a".repeat(32))).unwrap();
        let found = variables(&[("OTARU__SECRETS__KEY_FILE", path.to_str().unwrap())]).unwrap();
        assert!(otaru_operations::SealingKey::parse(&found["secrets.key"]).is_ok());
    }
}
