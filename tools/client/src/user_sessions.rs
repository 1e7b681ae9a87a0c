use serde::Deserialize;

use crate::{Client, ClientError, Page};

const USERS: [&str; 3] = ["api", "v1", "users"];

/// Something that lets a person in: a browser they are signed in with, or a token.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UserSession {
    /// Its id, which lets nobody in.
    pub id: String,
    /// `session` or `token`.
    pub kind: String,
    /// The browser, or what the token's maker calls it.
    pub label: Option<String>,
    /// When the person signed in with it, or it was made, RFC 3339.
    pub created_at: String,
    /// When it was last used, to a few minutes, RFC 3339.
    pub last_used_at: Option<String>,
}

impl Client {
    /// What lets a person in, the last used first.
    pub async fn list_user_sessions(&self, user: &str) -> Result<Page<UserSession>, ClientError> {
        self.get(&[&USERS[..], &[user, "sessions"]].concat(), &[]).await
    }

    /// Ends one of them.
    pub async fn end_user_session(&self, user: &str, session: &str) -> Result<(), ClientError> {
        self.delete(&[&USERS[..], &[user, "sessions", session]].concat()).await
    }

    /// Ends all of them, but what the caller came in with.
    pub async fn sign_out_user(&self, user: &str) -> Result<(), ClientError> {
        self.delete(&[&USERS[..], &[user, "sessions"]].concat()).await
    }

    /// Removes the second factor of a person who has lost it; their sessions end.
    pub async fn reset_second_factor(&self, user: &str) -> Result<(), ClientError> {
        self.delete(&[&USERS[..], &[user, "second-factor"]].concat()).await
    }
}
