//! Identity providers: who else than this server knows people, and how they come in by that.
//!
//! A person is what an issuer calls them, and nothing else: an address of theirs links nobody to
//! an account, unless the operator trusts the provider with addresses and it verified this one.
//! `people.rs` finds or makes the person, `sign_in.rs` is a browser's way there and back,
//! `bearer.rs` what apps bring along.

mod bearer;
mod flow;
mod links;
mod people;
mod sign_in;
mod sign_out;

use std::sync::Arc;

use otaru_fleet::Role;
use otaru_oidc::{Claims, OidcError, Provider, ProviderSettings};
use otaru_outbound::Outbound;
use otaru_store::{SystemScope, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, OperationError, Refusal};

pub(crate) use bearer::Bearers;
pub use bearer::{authenticate_bearer, sign_up_with_token};
pub(crate) use flow::LONGEST_MS as LONGEST_FLOW_MS;
pub use links::{list_identities, unlink_identity};
pub use sign_in::{
    Begun, Came, begin_confirmation, begin_identity_link, begin_provider_sign_in,
    finish_provider_sign_in,
};
pub(crate) use sign_out::of_ended_session;
pub use sign_out::sign_out_by_provider;

/// Browsers that may come back from providers to one place in a minute: each costs a question to
/// the provider.
pub(crate) const PROVIDER_RETURNS: u32 = 60;

/// An identity provider as an operator configured it.
#[derive(Clone)]
pub struct IdentityProvider {
    /// Its name in URLs.
    pub name: String,
    /// What people know it by.
    pub display_name: String,
    /// How it is spoken to.
    pub protocol: ProviderSettings,
    /// Name of the organisation that its people belong to.
    pub organisation: String,
    /// Whether people nobody knows here become owners.
    pub signs_up: bool,
    /// Whether an address it verified links somebody to the account that has it.
    pub trusts_emails: bool,
    /// What its claims say about roles.
    pub roles: Option<RoleMapping>,
}

/// Roles by the values of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMapping {
    /// The claim; dots lead into others.
    pub claim: String,
    /// The first value that the claim has decides.
    pub roles: Vec<(String, Role)>,
}

/// What claims say about somebody's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing: the server's own word counts.
    Nothing,
    /// That they have none of the roles.
    NoRole,
    /// That they have this one.
    Role(Role),
}

/// A provider that people come from.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) organisation: String,
    pub(crate) signs_up: bool,
    pub(crate) trusts_emails: bool,
    roles: Option<RoleMapping>,
    pub(crate) provider: Provider,
}

impl Known {
    fn new(configured: IdentityProvider, outbound: &Outbound) -> Known {
        let IdentityProvider { name, display_name, protocol, organisation, .. } = configured;
        Known {
            name,
            display_name,
            organisation,
            signs_up: configured.signs_up,
            trusts_emails: configured.trusts_emails,
            roles: configured.roles,
            provider: Provider::new(protocol, outbound.clone()),
        }
    }

    pub(crate) fn role_said(&self, claims: &Claims) -> Said {
        let Some(mapping) = &self.roles else { return Said::Nothing };
        let values = claims.texts(&mapping.claim);
        let found = mapping.roles.iter().find(|(value, _)| values.contains(&value.as_str()));
        found.map_or(Said::NoRole, |(_, role)| Said::Role(*role))
    }

    /// What the caller is told of a failure; an outage is told to the operator, too: once for
    /// each time that the provider was asked, however many come meanwhile.
    pub(crate) fn refusal(&self, error: &OidcError) -> OperationError {
        let provider = self.name.as_str();
        if matches!(error, OidcError::Silent) {
            return Refusal::ProviderUnavailable(self.name.clone()).into();
        }
        if error.is_outage() {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, provider, "An identity provider cannot be used");
            return Refusal::ProviderUnavailable(self.name.clone()).into();
        }
        tracing::info!(provider, %error, "A sign-in at an identity provider does not hold");
        Refusal::ProviderRefused { provider: self.name.clone(), why: error.to_string() }.into()
    }

    fn object(&self) -> ProviderObject {
        ProviderObject { name: self.name.clone(), display_name: self.display_name.clone() }
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Providers(Vec<Arc<Known>>);

impl Providers {
    pub(crate) fn new(configured: Vec<IdentityProvider>, outbound: &Outbound) -> Providers {
        let known = configured.into_iter().map(|one| Arc::new(Known::new(one, outbound)));
        Providers(known.collect())
    }

    pub(crate) fn named(&self, name: &str) -> Result<&Arc<Known>, Refusal> {
        let found = self.0.iter().find(|known| known.name == name);
        found.ok_or_else(|| Refusal::ProviderUnknown(name.to_owned()))
    }

    pub(crate) fn of_issuer(&self, issuer: &str) -> Option<&Arc<Known>> {
        self.0.iter().find(|known| known.provider.issuer() == issuer)
    }

    fn with_sign_in(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.0.iter().filter(|known| known.provider.has_sign_in())
    }
}

/// A provider that people sign in with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderObject {
    /// Its name in URLs.
    pub name: String,
    /// What people know it by.
    pub display_name: String,
}

/// The providers that a browser can sign in with.
pub fn list_providers(app: &App) -> Vec<ProviderObject> {
    app.inner.providers.with_sign_in().map(|known| known.object()).collect()
}

/// Name and organisation of each provider whose organisation does not exist: nobody who is not
/// known yet comes in by it.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn providers_of_no_organisation(
    app: &App,
) -> Result<Vec<(String, String)>, OperationError> {
    let known = app.inner.providers.0.iter();
    let all = known.map(|known| (known.name.clone(), known.organisation.clone()));
    let all: Vec<(String, String)> = all.collect();
    let work = move |tx: &mut Tx<'_>| {
        let mut lost = Vec::new();
        for (provider, organisation) in all {
            let system = SystemScope::for_authentication();
            if otaru_store::organisation_named(tx, &system, &organisation)?.is_none() {
                lost.push((provider, organisation));
            }
        }
        Ok::<_, OperationError>(lost)
    };
    app.inner.store.read(work).await
}
