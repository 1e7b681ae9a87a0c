use otaru_outbound::Outbound;
use serde_json::{Map, Value};
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

use crate::claims::{Claims, Logout, text};
use crate::kept::Kept;
use crate::keys::{KeySet, Published};
use crate::metadata::{Metadata, page};
use crate::token::Unverified;
use crate::{FRESH_MS, Flaw, Flow, OidcError, Returned, tokens_of_code};

/// What an operator says of an issuer. It has no `Debug`: it may hold a secret.
#[derive(Clone)]
pub struct ProviderSettings {
    /// The issuer, exactly as it writes itself.
    pub issuer: String,
    /// What this server is called there; without it nobody is sent there with a browser.
    pub client_id: Option<String>,
    /// What proves it.
    pub client_secret: Option<Zeroizing<String>>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Audiences of the tokens that apps bring; without any nobody comes in with one.
    pub audiences: Vec<String>,
    /// Where its keys are, for an issuer that does not publish where.
    pub jwks_url: Option<Url>,
}

/// An issuer that an operator configured.
pub struct Provider {
    pub(crate) settings: ProviderSettings,
    pub(crate) outbound: Outbound,
    metadata: Kept<Metadata>,
    keys: Kept<KeySet>,
}

/// Who came back from a provider.
pub struct SignedIn {
    /// What it says of them.
    pub claims: Claims,
    /// Its own words, for when they sign out there.
    pub id_token: String,
}

impl Provider {
    /// An issuer; nothing is asked until somebody comes.
    pub fn new(settings: ProviderSettings, outbound: Outbound) -> Provider {
        Provider { settings, outbound, metadata: Kept::default(), keys: Kept::default() }
    }

    /// The issuer, exactly as it writes itself.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whether browsers are sent there.
    pub fn has_sign_in(&self) -> bool {
        self.settings.client_id.is_some()
    }

    pub(crate) fn client(&self) -> Result<&str, OidcError> {
        self.settings.client_id.as_deref().ok_or(OidcError::Lacks("client_id"))
    }

    /// Where a browser is sent. It comes back to `redirect_uri`.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn authorization_url(
        &self,
        flow: &Flow,
        redirect_uri: &str,
        now: i64,
    ) -> Result<Url, OidcError> {
        let (client, metadata) = (self.client()?, self.metadata(now).await?);
        let endpoint = metadata.authorization_endpoint.as_ref();
        let mut url = page(endpoint, "authorization_endpoint")?;
        let scopes = self.settings.scopes.iter().map(String::as_str);
        let scopes = std::iter::once("openid").chain(scopes.filter(|scope| *scope != "openid"));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &scopes.collect::<Vec<_>>().join(" "))
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &flow.challenge())
            .append_pair("code_challenge_method", "S256");
        if flow.is_fresh {
            url.query_pairs_mut().append_pair("max_age", "0");
        }
        Ok(url)
    }

    /// Finds out who came back with a code, which is used up by that.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn redeem(
        &self,
        flow: &Flow,
        returned: &Returned,
        redirect_uri: &str,
        now: i64,
    ) -> Result<SignedIn, OidcError> {
        let (client, metadata) = (self.client()?, self.metadata(now).await?);
        let names_itself = metadata.authorization_response_iss_parameter_supported;
        match &returned.issuer {
            Some(issuer) if issuer != self.issuer() => return Err(OidcError::MixedUp),
            None if names_itself => return Err(OidcError::MixedUp),
            _ => {}
        }
        let code = match (&returned.error, &returned.code) {
            (Some(error), _) => return Err(OidcError::Declined(error.clone())),
            (None, None) => return Err(OidcError::Declined("no code".to_owned())),
            (None, Some(code)) => code,
        };
        let tokens = tokens_of_code::redeem(self, &metadata, flow, code, redirect_uri).await?;
        let (unverified, members) = self.verified(&tokens.id_token, now).await?;
        unverified.refuse_logout(&members)?;
        let mut claims = Claims::of(members, self.issuer(), now)?;
        if !claims.is_for(|audience| audience == client) {
            return Err(Flaw::Audience.into());
        }
        claims.check_party(client)?;
        if text(&claims.members, "nonce") != Some(&flow.nonce) {
            return Err(Flaw::Nonce.into());
        }
        let signed_in_at = claims.proven_at();
        if flow.is_fresh && signed_in_at.is_none_or(|at| now.saturating_sub(at) > FRESH_MS) {
            return Err(Flaw::NotFresh.into());
        }
        tokens_of_code::add_user_info(self, &metadata, &tokens, &mut claims).await?;
        Ok(SignedIn { claims, id_token: tokens.id_token })
    }

    /// Who a token is of that an app brought.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn check_bearer(&self, token: &str, now: i64) -> Result<Claims, OidcError> {
        let (unverified, members) = self.verified(token, now).await?;
        let audiences = &self.settings.audiences;
        Ok(Claims::of_bearer(&unverified, members, self.issuer(), audiences, now)?)
    }

    /// Who signed out, by the word of the provider itself.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn check_logout(&self, token: &str, now: i64) -> Result<Logout, OidcError> {
        let (client, (_, members)) = (self.client()?, self.verified(token, now).await?);
        Ok(Logout::of(members, self.issuer(), client, now)?)
    }

    /// Where a browser signs out at the provider too, if that has such a page; it comes back
    /// to `back_to`.
    pub async fn sign_out_url(
        &self,
        id_token: Option<&str>,
        back_to: &str,
        now: i64,
    ) -> Option<Url> {
        let client = self.settings.client_id.as_deref()?;
        let metadata = self.metadata(now).await.ok()?;
        let endpoint = metadata.end_session_endpoint.as_ref();
        let mut url = page(endpoint, "end_session_endpoint").ok()?;
        url.query_pairs_mut()
            .append_pair("client_id", client)
            .append_pair("post_logout_redirect_uri", back_to);
        if let Some(id_token) = id_token {
            url.query_pairs_mut().append_pair("id_token_hint", id_token);
        }
        Some(url)
    }

    /// What a token says, if a key of the issuer signed it.
    async fn verified<'t>(
        &self,
        token: &'t str,
        now: i64,
    ) -> Result<(Unverified<'t>, Map<String, Value>), OidcError> {
        let unverified = Unverified::read(token)?;
        let wanted = unverified.key.as_deref();
        let has_it = |keys: &KeySet| keys.named(wanted).next().is_some();
        let keys = self.keys.get(now, has_it, self.read_keys(now)).await?;
        let members = unverified.verify(&keys)?;
        Ok((unverified, members))
    }

    async fn read_keys(&self, now: i64) -> Result<KeySet, OidcError> {
        let published: Published = match &self.settings.jwks_url {
            Some(url) => self.outbound.get_json(url).await?,
            None => {
                let metadata = self.metadata(now).await?;
                let url = metadata.jwks_uri.as_ref().ok_or(OidcError::Lacks("jwks_uri"))?;
                self.outbound.get_json(url).await?
            }
        };
        Ok(KeySet::of(published))
    }

    async fn metadata(&self, now: i64) -> Result<Arc<Metadata>, OidcError> {
        let read = async {
            let url = Metadata::url(self.issuer())?;
            let metadata: Metadata = self.outbound.get_json(&url).await?;
            metadata.of(self.issuer())
        };
        self.metadata.get(now, |_| true, read).await
    }
}
