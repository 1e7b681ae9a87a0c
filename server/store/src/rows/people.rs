//! People, and how they come in.

use otaru_fleet::{Language, Role};
use otaru_wire::{OrganisationId, ThingName};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Opaque id.
    pub id: String,
    /// Organisation the person belongs to.
    pub organisation: OrganisationId,
    /// That organisation's name.
    pub organisation_name: String,
    /// Unique on the server, lower case.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// The language they chose.
    pub language: Option<Language>,
    /// The version they last asked for, or what their device runs.
    pub firmware_version: Option<String>,
    /// The first product's phrase setting.
    pub phrase_type: Option<String>,
    /// When they were added.
    pub created_at: i64,
}

/// What a program proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Public id.
    pub id: String,
    /// Organisation it works in.
    pub organisation: OrganisationId,
    /// The person it acts for, if any.
    pub user_id: Option<String>,
    /// What it may do.
    pub role: Role,
    /// How its secret is known again.
    pub secret: TokenSecret,
    /// The things it is limited to; `None` when it is to none.
    pub things: Option<Vec<ThingName>>,
    /// When it was made.
    pub created_at: i64,
    /// When it stops working.
    pub expires_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// What its maker calls it.
    pub label: Option<String>,
    /// When it was last used, to a few minutes.
    pub last_used_at: Option<i64>,
}

/// What is kept of a token's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSecret {
    /// Of a bearer token: SHA-256, lower hex.
    Sha256(String),
    /// Of an access key, which signs with it: sealed with a key that is not in the database.
    Sealed(Vec<u8>),
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationRow {
    /// Opaque id.
    pub id: OrganisationId,
    /// Unique on the server.
    pub name: String,
    /// When it was made.
    pub created_at: i64,
}

/// A signed-in browser; its secret itself is never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the secret, lower hex: its key.
    pub secret_sha256: String,
    /// Organisation of the person.
    pub organisation: OrganisationId,
    /// The person.
    pub user_id: String,
    /// What the person may do now.
    pub role: Role,
    /// When they signed in.
    pub created_at: i64,
    /// When it was last used, to a few minutes.
    pub used_at: i64,
    /// What the person knows the browser by.
    pub label: Option<String>,
    /// Whether the person can sign in with a password and nothing else.
    pub has_one_factor: bool,
}

/// A person's second factor: the secret that their authenticator app makes codes of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorRow {
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// Since when it counts; `None` until a first code was right.
    pub confirmed_at: Option<i64>,
    /// The newest step a code of which was used.
    pub last_step: u64,
}

/// A person as an identity provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRow {
    /// Opaque id.
    pub id: String,
    /// Organisation of the person.
    pub organisation: OrganisationId,
    /// The person.
    pub user_id: String,
    /// What the person may do now.
    pub role: Role,
    /// Who knows them.
    pub issuer: String,
    /// What it calls them.
    pub subject: String,
    /// What it calls their address, to be shown.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: i64,
    /// When it was last used, to a few minutes.
    pub used_at: Option<i64>,
    /// When the token was made whose claims were looked at last.
    pub claims_at: i64,
}

/// What is known of a session that a provider opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSessionRow {
    /// Which session.
    pub secret_sha256: String,
    /// The identity it was opened by.
    pub identity_id: String,
    /// Who knows the person.
    pub issuer: String,
    /// What the provider calls its own session.
    pub provider_session: Option<String>,
    /// The provider's token, sealed.
    pub id_token: Option<Vec<u8>>,
    /// When the person proved themselves anew because they were asked to.
    pub proven_at: Option<i64>,
}

/// Somebody who may become a person of the organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    /// Opaque id.
    pub id: String,
    /// Organisation they are invited to.
    pub organisation: OrganisationId,
    /// Whom the invitation is for, lower case.
    pub email: String,
    /// What they will be allowed to do.
    pub role: Role,
    /// User id of who invited them, if it was a person.
    pub invited_by: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// Until when it can be taken.
    pub expires_at: i64,
}
