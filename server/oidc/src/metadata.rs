use serde::Deserialize;
use url::Url;

use crate::OidcError;

/// What an issuer publishes about itself (OpenID Connect Discovery 1.0), as far as it is used.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) token_endpoint: Option<Url>,
    pub(crate) jwks_uri: Option<Url>,
    pub(crate) userinfo_endpoint: Option<Url>,
    pub(crate) end_session_endpoint: Option<Url>,
    #[serde(default)]
    pub(crate) token_endpoint_auth_methods_supported: Vec<String>,
    /// It names itself in what it sends back with a browser (RFC 9207).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads what an issuer publishes; `None` is what is none, or another's.
    pub fn read(document: &[u8], issuer: &str) -> Option<Metadata> {
        let metadata: Metadata = serde_json::from_slice(document).ok()?;
        metadata.of(issuer).ok()
    }

    /// The pages a browser may be sent to: for signing in and for signing out.
    pub fn pages(&self) -> [Option<Url>; 2] {
        let usable = |url: &Option<Url>| page(url.as_ref(), "page").ok();
        [usable(&self.authorization_endpoint), usable(&self.end_session_endpoint)]
    }

    /// Where an issuer publishes it.
    pub(crate) fn url(issuer: &str) -> Result<Url, OidcError> {
        let text = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        text.parse().map_err(|_| OidcError::Lacks("issuer"))
    }

    /// Refuses what another issuer published.
    pub(crate) fn of(self, issuer: &str) -> Result<Metadata, OidcError> {
        match self.issuer == issuer {
            true => Ok(self),
            false => {
                let expected = issuer.to_owned();
                Err(OidcError::OtherIssuer { found: self.issuer, expected })
            }
        }
    }

    /// Whether the client's secret goes into the form and not into a header.
    pub(crate) fn wants_secret_in_form(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let has = |wanted: &str| methods.iter().any(|method| method == wanted);
        has("client_secret_post") && !has("client_secret_basic")
    }
}

/// A page that a browser may be sent to: whatever else a URL can be would run in ours.
pub(crate) fn page(url: Option<&Url>, name: &'static str) -> Result<Url, OidcError> {
    let is_here = |url: &Url| {
        matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
            && url.scheme() == "http"
    };
    let usable = url.filter(|url| url.scheme() == "https" || is_here(url));
    usable.cloned().ok_or(OidcError::Lacks(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_pages_alone() {
        let usable = |text: &str| page(Some(&text.parse().unwrap()), "page").is_ok();
        assert!(usable("https://id.example/authorize"));
        assert!(usable("http://127.0.0.1:3000/authorize"));
        for wrong in ["http://id.example/", "javascript:alert(1)", "data:text/html,x", "file:///x"]
        {
            assert!(!usable(wrong), "{wrong}");
        }
        assert!(page(None, "page").is_err());
    }

    #[test]
    fn an_issuer_is_found_below_its_own_path() {
        let url = |issuer: &str| Metadata::url(issuer).unwrap().to_string();
        let realm = "https://id.example/realms/otaru";
        let expected = format!("{realm}/.well-known/openid-configuration");
        assert_eq!(url(realm), expected);
        assert_eq!(url(&format!("{realm}/")), expected);
    }
}
