//! Which server, with which token: options and environment, then the profile, then the default.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use otaru_client::{Client, ClientOptions};

use crate::options::Options;
use crate::profile::Profile;

const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// A client for the server that the options, the environment or the profile name.
pub(crate) fn connect(options: &Options) -> Result<Client> {
    let settled =
        settle(options, given_token(options, variable)?, Profile::read(&options.profile)?)?;
    Ok(Client::new(&settled)?)
}

/// The options of a client, the profile's left out: what `login` tries before it writes one.
pub(crate) fn without_profile(options: &Options) -> Result<ClientOptions> {
    settle(options, given_token(options, variable)?, None)
}

/// The token in the file that `--token-file` names, else OTARU_TOKEN, else the one in the file
/// that OTARU_TOKEN_FILE names. What was typed last is what was meant.
fn given_token(
    options: &Options,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<String>> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map(|text| text.trim().to_owned())
            .with_context(|| format!("could not read the token in {}", path.display()))
    };
    if let Some(path) = &options.token_file {
        return read(path).map(Some);
    }
    if let Some(token) = variable("OTARU_TOKEN") {
        let token = token.into_string().map_err(|_| anyhow!("OTARU_TOKEN is not text"))?;
        return Ok(Some(token));
    }
    variable("OTARU_TOKEN_FILE").map(|path| read(Path::new(&path))).transpose()
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn settle(
    options: &Options,
    token: Option<String>,
    profile: Option<Profile>,
) -> Result<ClientOptions> {
    let server = options
        .server
        .clone()
        .or_else(|| profile.as_ref().map(|profile| profile.server.clone()))
        .unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    // A token goes only to the server it was given for.
    let profile = profile.filter(|profile| is_same_server(&profile.server, &server));
    let ca_pem = match &options.ca {
        Some(path) => Some(
            std::fs::read(path)
                .with_context(|| format!("could not read the CA in {}", path.display()))?,
        ),
        None => profile.as_ref().and_then(|profile| profile.ca_pem.clone()).map(String::into_bytes),
    };
    let token = token.or_else(|| profile.map(|profile| profile.token));
    Ok(ClientOptions { server, token, ca_pem })
}

fn is_same_server(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Option<Profile> {
        Some(Profile {
            server: "https://ota.example".into(),
            token: "of the profile".into(),
            made_by_login: false,
            ca_pem: Some("PEM".into()),
        })
    }

    fn options(server: Option<&str>) -> Options {
        Options { server: server.map(str::to_owned), ..Options::default() }
    }

    #[test]
    fn environment_wins_over_the_profile_and_that_over_the_default() {
        let settled = settle(&options(None), None, None).unwrap();
        assert_eq!((settled.server.as_str(), settled.token), (DEFAULT_SERVER, None));

        let settled = settle(&options(None), None, profile()).unwrap();
        assert_eq!(settled.server, "https://ota.example");
        assert_eq!(settled.token.as_deref(), Some("of the profile"));
        assert!(settled.ca_pem.is_some());

        let settled =
            settle(&options(Some("https://ota.example/")), Some("given".into()), profile());
        assert_eq!(settled.unwrap().token.as_deref(), Some("given"));
    }

    #[test]
    fn the_flag_wins_over_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("of the {name}\n")).unwrap();
            path
        };
        let (flag, variable) = (file("flag"), file("variable"));
        let token = |flag: Option<&Path>, token: &str, named: Option<&Path>| {
            let options = Options { token_file: flag.map(Path::to_owned), ..Options::default() };
            let of = |name: &str| match name {
                "OTARU_TOKEN" => Some(token.into()),
                _ => named.map(|path| path.as_os_str().to_owned()),
            };
            given_token(&options, of).unwrap()
        };
        let both = token(Some(&flag), "itself", Some(&variable));
        assert_eq!(both.as_deref(), Some("of the flag"));
        let environment = token(None, "itself", Some(&variable));
        assert_eq!(environment.as_deref(), Some("itself"));
        assert_eq!(token(None, "", Some(&variable)).as_deref(), Some("of the variable"));
        assert_eq!(token(None, "", None), None);
    }

    #[test]
    fn token_of_the_profile_is_never_sent_to_another_server() {
        let settled = settle(&options(Some("http://127.0.0.1:8080")), None, profile()).unwrap();
        assert_eq!((settled.token, settled.ca_pem), (None, None));
    }
}
