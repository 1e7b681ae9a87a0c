use otaru_fleet::{Language, Permission, Role};
use otaru_store::Scope;
use otaru_wire::{ProductName, ThingName};

use crate::{Origin, Refusal};

/// A person or token that asks for something, and the one organisation it may touch.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The organisation, a mandatory argument of every query.
    pub scope: Scope,
    /// What it may do there.
    pub role: Role,
    /// The person it acts for, if any.
    pub user: Option<String>,
    /// What it proved itself with.
    pub credential: Credential,
    /// The language the request asked for; what a person chose for themselves counts more.
    pub language: Option<Language>,
    /// Where the request came from.
    pub origin: Origin,
}

/// What an actor proved itself with: whatever lasts must end with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What kind it is.
    pub kind: CredentialKind,
    /// Public id of a token or an identity, digest of a session's secret.
    pub id: String,
    /// When it stops working, in milliseconds since the epoch.
    pub expires_at: Option<i64>,
    /// When the person last proved themselves, where it says so.
    pub proven_at: Option<i64>,
}

/// The kinds of credential a person or program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An API token.
    Token,
    /// A signed-in browser.
    Session,
    /// A token of an identity provider; its id is that of the identity.
    Identity,
}

impl Credential {
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// Which devices a person means to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only those they claimed; anybody else's do not exist for them.
    Own,
    /// Any of the organisation, if the role allows.
    Fleet,
}

impl Actor {
    /// Refuses unless the role includes `permission`.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), Refusal> {
        if self.role.allows(permission) {
            return Ok(());
        }
        Err(Refusal::Forbidden { role: self.role.as_str(), needs: needs(permission) })
    }

    /// The person whose own browser asks, and the digest of its session: what changes how they
    /// come in is for nothing that may have leaked.
    pub(crate) fn browser(&self) -> Result<(String, String), Refusal> {
        let person = self.person()?.to_owned();
        match self.credential.kind {
            CredentialKind::Session => Ok((person, self.credential.id.clone())),
            CredentialKind::Token | CredentialKind::Identity => Err(Refusal::SessionRequired),
        }
    }

    /// The person this actor acts for.
    pub(crate) fn person(&self) -> Result<&str, Refusal> {
        self.user.as_deref().ok_or(Refusal::UserRequired)
    }
}

/// The roles to name to somebody who lacks a permission.
fn needs(permission: Permission) -> &'static str {
    match permission {
        Permission::ReadFleet => "viewer, publisher, operator or admin",
        Permission::PublishReleases => "publisher or admin",
        Permission::OperateDevices => "operator or admin",
        Permission::ReadAudit => "operator or admin",
        Permission::ManagePeople => "admin",
    }
}

/// A device that proved itself with its certificate.
#[derive(Clone, Debug)]
pub struct DevicePrincipal {
    /// Its organisation.
    pub scope: Scope,
    /// The one thing its certificate names.
    pub thing: ThingName,
    /// What kind it is.
    pub product: ProductName,
}
