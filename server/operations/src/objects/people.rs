use otaru_fleet::Language;
use otaru_store::{IdentityRow, InvitationRow, OrganisationRow, TokenRow, TokenSecret, UserRow};
use otaru_wire::ThingName;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::ProviderObject;

/// A person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserObject {
    /// Opaque id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// `owner`, `viewer`, `publisher`, `operator` or `admin`.
    pub role: &'static str,
    /// Name of their organisation.
    pub organisation: String,
    /// `en`, `ja` or `de`; null when they chose none.
    pub language: Option<&'static str>,
    /// The version they last asked for, or what their device runs.
    pub firmware_version: Option<String>,
    /// The first product's phrase setting.
    pub phrase_type: Option<String>,
}

/// An API token or an access key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenObject {
    /// Public id; of an access key, the access key id.
    pub id: String,
    /// `bearer`, or `aws` for an access key, which signs requests to shadows and topics.
    pub kind: &'static str,
    /// The things an access key is limited to; null when it is to none.
    #[schema(value_type = Option<Vec<String>>)]
    pub things: Option<Vec<ThingName>>,
    /// Id of the person it acts for.
    pub user: Option<String>,
    /// What it may do; never more than its person may now.
    pub role: &'static str,
    /// What its maker calls it.
    pub label: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it stops working.
    pub expires_at: Option<String>,
    /// When it was last used, to a few minutes.
    pub last_used_at: Option<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Something that lets a person in: a browser they are signed in with, or a token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionObject {
    /// Its id, which lets nobody in.
    pub id: String,
    /// `session` or `token`.
    pub kind: &'static str,
    /// The browser, or what the token's maker calls it.
    pub label: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
    /// When the person signed in with it, or it was made.
    pub created_at: String,
    /// When it was last used, to a few minutes.
    pub last_used_at: Option<String>,
    /// When it ends; a session that is used goes on.
    pub expires_at: Option<String>,
}

/// A person as an identity provider knows them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdentityObject {
    /// Opaque id.
    pub id: String,
    /// Name of the provider; null when it is not configured any more.
    pub provider: Option<String>,
    /// What the provider calls itself.
    pub issuer: String,
    /// What it calls the person.
    pub subject: String,
    /// What it calls their address.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: String,
    /// When it was last used, to a few minutes.
    pub last_used_at: Option<String>,
}

/// The providers that know a person, and what else lets them in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdentitiesObject {
    /// Those that know them.
    pub items: Vec<IdentityObject>,
    /// Whether they have a password, too.
    pub has_password: bool,
    /// Those that could be linked.
    pub linkable: Vec<ProviderObject>,
}

/// Somebody who may become a person of the organisation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InvitationObject {
    /// Opaque id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// What they will be allowed to do.
    pub role: &'static str,
    /// Until when it can be taken.
    pub expires_at: String,
}

/// A link with which a person chooses a new password, to be passed on by hand.
#[derive(Clone, Serialize, ToSchema)]
pub struct ResetLinkObject {
    /// The link, for one use; in this answer and nowhere else.
    pub url: String,
    /// Until when it works.
    pub expires_at: String,
}

/// An organisation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrganisationObject {
    /// Opaque id.
    pub id: String,
    /// Unique on the server.
    pub name: String,
    /// When it was made.
    pub created_at: String,
}

impl ResetLinkObject {
    pub(crate) fn new(url: String, expires_at: i64) -> ResetLinkObject {
        ResetLinkObject { url, expires_at: time(expires_at) }
    }
}

impl From<UserRow> for UserObject {
    fn from(row: UserRow) -> UserObject {
        UserObject {
            id: row.id,
            email: row.email,
            role: row.role.as_str(),
            organisation: row.organisation_name,
            language: row.language.map(Language::as_str),
            firmware_version: row.firmware_version,
            phrase_type: row.phrase_type,
        }
    }
}

impl From<TokenRow> for TokenObject {
    fn from(row: TokenRow) -> TokenObject {
        TokenObject {
            id: row.id,
            kind: match row.secret {
                TokenSecret::Sha256(_) => "bearer",
                TokenSecret::Sealed(_) => "aws",
            },
            things: row.things,
            user: row.user_id,
            role: row.role.as_str(),
            label: row.label,
            created_at: time(row.created_at),
            expires_at: row.expires_at.map(time),
            last_used_at: row.last_used_at.map(time),
            revoked: row.revoked_at.is_some(),
        }
    }
}

impl IdentityObject {
    pub(crate) fn of(row: IdentityRow, provider: Option<&str>) -> IdentityObject {
        IdentityObject {
            id: row.id,
            provider: provider.map(str::to_owned),
            issuer: row.issuer,
            subject: row.subject,
            email: row.email,
            created_at: time(row.created_at),
            last_used_at: row.used_at.map(time),
        }
    }
}

impl From<InvitationRow> for InvitationObject {
    fn from(row: InvitationRow) -> InvitationObject {
        InvitationObject {
            id: row.id,
            email: row.email,
            role: row.role.as_str(),
            expires_at: time(row.expires_at),
        }
    }
}

impl From<OrganisationRow> for OrganisationObject {
    fn from(row: OrganisationRow) -> OrganisationObject {
        OrganisationObject {
            id: row.id.to_string(),
            name: row.name,
            created_at: time(row.created_at),
        }
    }
}
