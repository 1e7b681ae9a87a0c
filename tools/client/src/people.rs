use reqwest::Method;
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
}

/// An API token without its secret.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Token {
    /// Public id.
    pub id: String,
    /// Id of the person it acts for.
    pub user: Option<String>,
    /// What it may do.
    pub role: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it stops working, RFC 3339.
    pub expires_at: Option<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A token to make.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewToken {
    /// E-mail address of the person it acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Role of a token that acts for nobody; the caller's own if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When it stops working, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A token just made, with its secret: the only time it can be seen.
#[derive(Clone, Deserialize)]
pub struct TokenWithSecret {
    /// Public id.
    pub id: String,
    /// What to send as bearer.
    pub token: String,
}

const TOKENS: [&str; 3] = ["api", "v1", "tokens"];

impl Client {
    /// Adds a person.
    pub async fn add_user(&self, email: &str, role: &str) -> Result<Object<User>, ClientError> {
        self.post(&["api", "v1", "users"], &json!({ "email": email, "role": role })).await
    }

    /// Makes a token.
    pub async fn create_token(
        &self,
        new: &NewToken,
    ) -> Result<Object<TokenWithSecret>, ClientError> {
        self.post(&TOKENS, new).await
    }

    /// Tokens of the organisation, by id.
    pub async fn list_tokens(&self, paging: &Paging) -> Result<Page<Token>, ClientError> {
        self.get(&TOKENS, &paging.query()).await
    }

    /// Stops a token from working.
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        let path = [&TOKENS[..], &[id]].concat();
        self.send(self.request(Method::DELETE, &path)).await.map(drop)
    }

    /// Whom the token speaks for.
    pub async fn whoami(&self) -> Result<Value, ClientError> {
        self.get(&["api", "v1", "whoami"], &[]).await
    }
}
