use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Client, ClientError, Object, Page, Paging};

/// A person.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct User {
    /// Opaque id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// `owner`, `viewer`, `publisher`, `operator` or `admin`.
    pub role: String,
    /// Name of their organisation.
    pub organisation: String,
}

/// Somebody who may become a person of the organisation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Invitation {
    /// Opaque id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// What they will be allowed to do.
    pub role: String,
    /// Until when it can be taken, RFC 3339.
    pub expires_at: String,
}

/// An invitation just made, with its link: the only time it can be seen.
#[derive(Clone, Deserialize)]
pub struct InvitationWithLink {
    /// E-mail address.
    pub email: String,
    /// The link, for one use.
    pub url: String,
    /// Until when it can be taken, RFC 3339.
    pub expires_at: String,
}

/// A link with which a person chooses a new password.
#[derive(Clone, Deserialize)]
pub struct ResetLink {
    /// The link, for one use.
    pub url: String,
    /// Until when it works, RFC 3339.
    pub expires_at: String,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Organisation {
    /// Opaque id.
    pub id: String,
    /// Unique on the server.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The invitation of its first administrator, where it was just made.
    pub url: Option<String>,
    /// Until when that can be taken, RFC 3339.
    pub expires_at: Option<String>,
}

/// An API token or an access key, without its secret.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Token {
    /// Public id; of an access key, the access key id.
    pub id: String,
    /// `bearer`, or `aws` for an access key.
    pub kind: String,
    /// The things an access key is limited to, if it is.
    pub things: Option<Vec<String>>,
    /// Id of the person it acts for.
    pub user: Option<String>,
    /// What it may do.
    pub role: String,
    /// What its maker calls it.
    pub label: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it stops working, RFC 3339.
    pub expires_at: Option<String>,
    /// When it was last used, to a few minutes, RFC 3339.
    pub last_used_at: Option<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A token to make.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewToken {
    /// E-mail address of the person it acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it may do; as much as its person, or as the caller, if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When it stops working, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What to call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A token just made, with its secret: the only time it can be seen.
#[derive(Clone, Deserialize)]
pub struct TokenWithSecret {
    /// Public id.
    pub id: String,
    /// What to send as bearer.
    pub token: String,
}

/// An access key to make.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewAccessKey {
    /// As for a token.
    #[serde(flatten)]
    pub token: NewToken,
    /// The things it is limited to; any if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub things: Option<Vec<String>>,
}

/// An access key just made, with its secret: the only time it can be seen.
#[derive(Clone, Deserialize)]
pub struct AccessKeyWithSecret {
    /// What it is called where it is used.
    pub access_key_id: String,
    /// What its holder signs with.
    pub secret_access_key: String,
}

const USERS: [&str; 3] = ["api", "v1", "users"];
const INVITATIONS: [&str; 3] = ["api", "v1", "invitations"];
const ORGANISATIONS: [&str; 3] = ["api", "v1", "organisations"];
const TOKENS: [&str; 3] = ["api", "v1", "tokens"];

impl Client {
    /// Adds a person.
    pub async fn add_user(&self, email: &str, role: &str) -> Result<Object<User>, ClientError> {
        self.post(&USERS, &json!({ "email": email, "role": role })).await
    }

    /// People of the organisation, by e-mail address.
    pub async fn list_users(&self, paging: &Paging) -> Result<Page<User>, ClientError> {
        self.get(&USERS, &paging.query()).await
    }

    /// One person.
    pub async fn find_user(&self, id: &str) -> Result<Object<User>, ClientError> {
        self.get(&[&USERS[..], &[id]].concat(), &[]).await
    }

    /// Changes what a person may do.
    pub async fn set_user_role(&self, id: &str, role: &str) -> Result<Object<User>, ClientError> {
        self.put(&[&USERS[..], &[id]].concat(), &json!({ "role": role })).await
    }

    /// Removes a person.
    pub async fn remove_user(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&[&USERS[..], &[id]].concat()).await
    }

    /// All that the server knows of a person, without what proves who they are.
    pub async fn export_user(&self, id: &str) -> Result<Value, ClientError> {
        self.get(&[&USERS[..], &[id, "export"]].concat(), &[]).await
    }

    /// Makes a link with which a person chooses a new password.
    pub async fn create_reset_link(&self, id: &str) -> Result<Object<ResetLink>, ClientError> {
        self.post(&[&USERS[..], &[id, "reset-link"]].concat(), &json!({})).await
    }

    /// Invites somebody.
    pub async fn invite_user(
        &self,
        email: &str,
        role: &str,
    ) -> Result<Object<InvitationWithLink>, ClientError> {
        self.post(&INVITATIONS, &json!({ "email": email, "role": role })).await
    }

    /// Invitations that can still be taken, by e-mail address.
    pub async fn list_invitations(&self, paging: &Paging) -> Result<Page<Invitation>, ClientError> {
        self.get(&INVITATIONS, &paging.query()).await
    }

    /// Takes an invitation back.
    pub async fn revoke_invitation(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&[&INVITATIONS[..], &[id]].concat()).await
    }

    /// Makes an organisation and invites its first administrator.
    pub async fn create_organisation(
        &self,
        name: &str,
        email: &str,
    ) -> Result<Object<Organisation>, ClientError> {
        self.post(&ORGANISATIONS, &json!({ "name": name, "email": email })).await
    }

    /// Organisations by name, as far as the caller may see them.
    pub async fn list_organisations(
        &self,
        paging: &Paging,
    ) -> Result<Page<Organisation>, ClientError> {
        self.get(&ORGANISATIONS, &paging.query()).await
    }

    /// Makes a token.
    pub async fn create_token(
        &self,
        new: &NewToken,
    ) -> Result<Object<TokenWithSecret>, ClientError> {
        self.post(&TOKENS, new).await
    }

    /// Makes an access key, with which clients of AWS IoT sign their requests.
    pub async fn create_access_key(
        &self,
        new: &NewAccessKey,
    ) -> Result<Object<AccessKeyWithSecret>, ClientError> {
        #[derive(Serialize)]
        struct Wanted<'a> {
            aws: bool,
            #[serde(flatten)]
            new: &'a NewAccessKey,
        }
        self.post(&TOKENS, &Wanted { aws: true, new }).await
    }

    /// Tokens of the organisation, by id.
    pub async fn list_tokens(&self, paging: &Paging) -> Result<Page<Token>, ClientError> {
        self.get(&TOKENS, &paging.query()).await
    }

    /// Stops a token from working.
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&[&TOKENS[..], &[id]].concat()).await
    }

    /// Whom the token speaks for.
    pub async fn whoami(&self) -> Result<Value, ClientError> {
        self.get(&["api", "v1", "whoami"], &[]).await
    }
}
