use reqwest::header::{self, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::{Client, ClientError, NewToken, Object, TokenWithSecret};

/// Somebody signed in with their password, as a browser would be: long enough to make a token.
pub struct Session {
    client: Client,
    cookie: HeaderValue,
}

impl Client {
    /// Signs in with a password. Whoever has a second factor is refused with a challenge.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Session, ClientError> {
        let typed = json!({ "email": email, "password": password });
        self.session(self.request(Method::POST, &["app", "session"]).json(&typed)).await
    }

    /// Signs in with a code of a second factor, or a recovery code, after the right password.
    pub async fn sign_in_with_code(
        &self,
        challenge: &str,
        code: &str,
    ) -> Result<Session, ClientError> {
        let path = ["app", "session", "second-factor"];
        let typed = json!({ "challenge": challenge, "code": code });
        self.session(self.request(Method::POST, &path).json(&typed)).await
    }

    /// Sets a new password with the code of a link, and signs in with it.
    pub async fn reset_password(&self, code: &str, password: &str) -> Result<Session, ClientError> {
        let typed = json!({ "code": code, "password": password });
        self.session(self.request(Method::PUT, &["app", "password-reset"]).json(&typed)).await
    }

    async fn session(&self, request: RequestBuilder) -> Result<Session, ClientError> {
        let answer = self.send(request).await?;
        let cookie = answer.headers().get(header::SET_COOKIE);
        let pair = cookie.and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        let pair = pair.ok_or_else(|| self.answer("signing in gave no cookie"))?;
        let mut cookie = HeaderValue::from_str(pair).map_err(|error| self.answer(error))?;
        cookie.set_sensitive(true);
        Ok(Session { client: self.clone(), cookie })
    }
}

impl Session {
    /// Makes a token; with the person's own address it acts for them.
    pub async fn create_token(
        &self,
        new: &NewToken,
    ) -> Result<Object<TokenWithSecret>, ClientError> {
        let path = ["api", "v1", "tokens"];
        self.client.read(self.request(Method::POST, &path).json(new)).await
    }

    /// Signs out.
    pub async fn end(self) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &["app", "session"]);
        self.client.send(request).await.map(drop)
    }

    /// A request as a page of the server itself would send it.
    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let request = self.client.request(method, path);
        request
            .header(header::COOKIE, self.cookie.clone())
            .header(header::ORIGIN, self.client.origin())
    }
}
