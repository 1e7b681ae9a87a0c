//! `[oidc.NAME]`: identity providers, and `[outbound]`: where the server may call.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use otaru_operations::{IdentityProvider, OutboundSettings, ProviderSettings, Role, RoleMapping};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

/// The sections, by name.
pub(super) type OidcSections = BTreeMap<String, OidcSection>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OidcSection {
    issuer: String,
    display_name: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scopes: Option<Vec<String>>,
    audiences: Vec<String>,
    jwks_url: Option<String>,
    organisation: Option<String>,
    sign_up: bool,
    trust_emails: bool,
    role_claim: Option<String>,
    roles: Vec<RoleSection>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleSection {
    value: String,
    role: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OutboundSection {
    private_hosts: Vec<String>,
}

impl OutboundSection {
    pub(super) fn settings(self) -> OutboundSettings {
        OutboundSettings { private_hosts: self.private_hosts }
    }
}

/// Longest name of a provider.
const NAME_BYTES: usize = 32;

/// Every provider, checked.
pub(super) fn providers(sections: OidcSections) -> anyhow::Result<Vec<IdentityProvider>> {
    let mut providers: Vec<IdentityProvider> = Vec::new();
    for (name, section) in sections {
        let in_section = || format!("oidc.{name}");
        let provider = section.provider(&name).with_context(in_section)?;
        let is_twice = providers.iter().any(|one| one.protocol.issuer == provider.protocol.issuer);
        // A token says its issuer alone: which of two was meant nobody could tell.
        ensure!(!is_twice, "oidc.{name}: another provider has the same issuer");
        providers.push(provider);
    }
    Ok(providers)
}

impl OidcSection {
    fn provider(self, name: &str) -> anyhow::Result<IdentityProvider> {
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            (1..=NAME_BYTES).contains(&name.len()) && name.chars().all(is_letter),
            "its name must be 1 to {NAME_BYTES} of a-z, 0-9 and -"
        );
        check_issuer(&self.issuer)?;
        ensure!(self.client_id.as_deref() != Some(""), "client_id is empty: leave it out");
        ensure!(!self.audiences.iter().any(String::is_empty), "one of audiences is empty");
        ensure!(
            self.client_id.is_some() || !self.audiences.is_empty(),
            "it needs client_id, for browsers, or audiences, for the tokens of apps"
        );
        ensure!(
            self.client_secret.is_none() || self.client_id.is_some(),
            "client_secret needs client_id"
        );
        let roles = role_mapping(self.role_claim, self.roles)?;
        let jwks_url = self.jwks_url.map(|url| address("jwks_url", &url)).transpose()?;
        let scopes = self.scopes.unwrap_or_else(|| vec!["email".to_owned(), "profile".to_owned()]);
        Ok(IdentityProvider {
            name: name.to_owned(),
            display_name: self.display_name.unwrap_or_else(|| name.to_owned()),
            protocol: ProviderSettings {
                issuer: self.issuer,
                client_id: self.client_id,
                client_secret: self.client_secret.map(Zeroizing::new),
                scopes,
                audiences: self.audiences,
                jwks_url,
            },
            organisation: self.organisation.unwrap_or_else(|| "default".to_owned()),
            signs_up: self.sign_up,
            trusts_emails: self.trust_emails,
            roles,
        })
    }
}

fn check_issuer(issuer: &str) -> anyhow::Result<()> {
    ensure!(!issuer.is_empty(), "it needs issuer, the provider's https:// address");
    let url = address("issuer", issuer)?;
    ensure!(
        url.query().is_none() && url.fragment().is_none(),
        "issuer `{issuer}` must end with its path"
    );
    Ok(())
}

/// An address of a provider: over TLS, or of this machine.
fn address(setting: &str, text: &str) -> anyhow::Result<Url> {
    let url: Url = text.parse().with_context(|| format!("{setting} `{text}` is no URL"))?;
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    ensure!(
        url.scheme() == "https" || (url.scheme() == "http" && is_here),
        "{setting} `{text}` must begin with https://"
    );
    Ok(url)
}

fn role_mapping(
    claim: Option<String>,
    roles: Vec<RoleSection>,
) -> anyhow::Result<Option<RoleMapping>> {
    match (claim, roles.is_empty()) {
        (None, true) => Ok(None),
        (Some(claim), false) => {
            let roles = roles.into_iter().map(|RoleSection { value, role }| {
                let parsed: Role =
                    role.parse().map_err(|_| anyhow::anyhow!("roles: `{role}` is no role"))?;
                Ok((value, parsed))
            });
            let roles = roles.collect::<anyhow::Result<_>>()?;
            Ok(Some(RoleMapping { claim, roles }))
        }
        _ => bail!("role_claim and roles need each other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Vec<IdentityProvider>, String> {
        let sections: BTreeMap<String, OidcSections> = toml::from_str(toml).unwrap();
        let sections = sections.into_values().next().unwrap_or_default();
        providers(sections).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_provider_is_an_issuer_and_what_people_may_by_it() {
        let read = read(
            r#"
            [oidc.keycloak]
            issuer = "https://id.example/realms/otaru"
            client_id = "otaru"
            client_secret = "secret"
            role_claim = "groups"
            roles = [{ value = "Admins", role = "admin" }, { value = "Ops", role = "operator" }]
            [oidc.firebase]
            issuer = "https://securetoken.google.com/clocks"
            audiences = ["clocks"]
            sign_up = true
            "#,
        )
        .unwrap();
        let [firebase, keycloak]: [IdentityProvider; 2] = read.try_into().ok().unwrap();
        assert!(firebase.signs_up && firebase.protocol.client_id.is_none());
        assert!(!keycloak.signs_up && !keycloak.trusts_emails);
        assert_eq!(keycloak.protocol.scopes, ["email", "profile"]);
        assert_eq!(keycloak.organisation, "default");
        let roles = [("Admins", Role::Admin), ("Ops", Role::Operator)];
        let roles = roles.map(|(value, role)| (value.to_owned(), role)).to_vec();
        assert_eq!(keycloak.roles, Some(RoleMapping { claim: "groups".to_owned(), roles }));
    }

    #[test]
    fn what_cannot_work_is_told_before_anything_is_opened() {
        let refused = |section: &str| read(&format!("[oidc.id]\n{section}")).err().unwrap();
        let issuer = "issuer = \"https://id.example\"\n";
        let with = |more: &str| refused(&format!("{issuer}{more}"));
        assert!(refused("client_id = \"x\"").contains("it needs issuer"));
        assert!(refused("issuer = \"id.example\"").contains("is no URL"));
        assert!(refused("issuer = \"http://id.example\"").contains("https://"));
        assert!(refused("issuer = \"https://id.example/?a\"").contains("must end"));
        assert!(with("client_id = \"\"").contains("client_id is empty"));
        assert!(with("audiences = [\"a\", \"\"]").contains("audiences is empty"));
        let keys_at = |url: &str| with(&format!("client_id = \"x\"\njwks_url = \"{url}\""));
        assert!(keys_at("http://id.example/keys").contains("jwks_url"));
        assert!(keys_at("keys").contains("is no URL"));
        assert!(with("").contains("client_id, for browsers, or audiences"));
        assert!(with("audiences = [\"a\"]\nclient_secret = \"s\"").contains("needs client_id"));
        assert!(with("client_id = \"x\"\nrole_claim = \"g\"").contains("need each other"));
        let roles =
            "client_id = \"x\"\nrole_claim = \"g\"\nroles = [{value = \"v\", role = \"r\"}]";
        assert!(with(roles).contains("`r` is no role"));
        let twice = format!("[oidc.a]\n{issuer}client_id=\"x\"\n[oidc.b]\n{issuer}client_id=\"x\"");
        assert!(read(&twice).err().unwrap().contains("same issuer"));
        assert!(read(&format!("[oidc.A]\n{issuer}")).err().unwrap().contains("a-z"));
    }
}
