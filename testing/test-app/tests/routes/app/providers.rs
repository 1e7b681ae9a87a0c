//! People whom somebody else knows: an issuer of the test's own, honest or not.

mod abuse;
mod bearer;
mod browser;
mod links;
mod roles;
mod sign_out;

use otaru_issuer::{CLIENT, Issuer, SECRET};
use otaru_operations::{IdentityProvider, ProviderSettings};
use otaru_test_app::{Answer, Client, TestApp};
use serde_json::{Value, json};

/// When tests begin, in seconds.
pub(crate) const START_S: i64 = 1_795_435_200;

/// An app's audience.
pub(crate) const APP: &str = "otaru-app";

/// Gives the server a provider `id`, whose people may sign up unless `change` says otherwise.
pub(crate) async fn provide(
    app: &mut TestApp,
    change: impl FnOnce(&mut IdentityProvider),
) -> Issuer {
    let issuer = Issuer::start().await;
    let mut provider = provider("id", issuer.url());
    change(&mut provider);
    app.set_providers(vec![provider]);
    app.restart().await;
    issuer
}

pub(crate) fn provider(name: &str, issuer: &str) -> IdentityProvider {
    IdentityProvider {
        name: name.to_owned(),
        display_name: "Example ID".to_owned(),
        protocol: ProviderSettings {
            issuer: issuer.to_owned(),
            client_id: Some(CLIENT.to_owned()),
            client_secret: Some(SECRET.to_owned().into()),
            scopes: vec!["email".to_owned()],
            audiences: vec![APP.to_owned()],
            jwks_url: None,
        },
        organisation: "default".to_owned(),
        signs_up: true,
        trusts_emails: false,
        roles: None,
    }
}

/// Claims about somebody, for the browser's own client, with others put over them.
pub(crate) fn claims(issuer: &Issuer, subject: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": issuer.url(), "aud": CLIENT, "sub": subject, "iat": START_S, "exp": START_S + 3_600,
        "email": format!("{subject}@example.org"), "email_verified": true,
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims
}

/// The token of an app.
pub(crate) fn token(issuer: &Issuer, subject: &str, changes: Value) -> String {
    let mut claims = claims(issuer, subject, changes);
    claims["aud"] = APP.into();
    issuer.sign(&claims)
}

/// A browser on its way to a provider.
pub(crate) struct Away {
    pub(crate) browser: Client,
    pub(crate) kept: String,
    pub(crate) url: String,
}

impl Away {
    /// Leaves by this route.
    pub(crate) async fn by(browser: &Client, path: &str, body: Value) -> Away {
        let answer = browser.post(path, body).await.expect_status(200);
        let kept = answer.cookie().to_owned();
        let url = answer.json()["url"].as_str().unwrap().to_owned();
        Away { browser: browser.clone(), kept, url }
    }

    pub(crate) async fn to_sign_in(browser: &Client) -> Away {
        Away::by(browser, "/app/providers/id/sign-in", json!({ "return_to": "/account" })).await
    }

    /// Comes back with this query.
    pub(crate) async fn back(&self, query: &str) -> Answer {
        let browser = self.browser.clone().with_header("cookie", &self.kept);
        browser.get(&format!("/app/providers/id/callback?{query}")).await.expect_status(303)
    }
}

/// The query that the issuer sends somebody back with.
pub(crate) fn let_in(issuer: &Issuer, away: &Away, subject: &str, changes: Value) -> String {
    issuer.let_in(&away.url, claims(issuer, subject, changes))
}

/// Signs somebody in with a fresh browser.
pub(crate) async fn sign_in(
    app: &TestApp,
    issuer: &Issuer,
    subject: &str,
    changes: Value,
) -> Answer {
    let away = Away::to_sign_in(&app.anonymous()).await;
    away.back(&let_in(issuer, &away, subject, changes)).await
}

/// The browser that got this answer.
pub(crate) fn browser_of(app: &TestApp, answer: &Answer) -> Client {
    let session = answer.cookie_named("__Host-otaru").expect("a session");
    app.anonymous().with_header("cookie", session).with_header("sec-fetch-site", "same-origin")
}

/// Where the browser was sent on to.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, code: &str) {
    let page = answer.header("location");
    assert!(page.ends_with(&format!("problem={code}")), "{page}, not {code}");
    assert_eq!(answer.cookie_named("__Host-otaru"), None, "nobody came in");
}

/// What the audit log says was done, oldest first, of these nouns.
pub(crate) async fn noted(app: &TestApp, nouns: &[&str]) -> Vec<String> {
    let entries = app.admin().get("/api/v1/audit?limit=200").await.expect_status(200).json();
    let entries = entries["items"].as_array().unwrap().iter().rev();
    let actions = entries.map(|entry| entry["action"].as_str().unwrap().to_owned());
    let is_of = |action: &String| nouns.contains(&action.split('.').next().unwrap());
    actions.filter(is_of).collect()
}
