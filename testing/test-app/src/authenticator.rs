use std::time::Duration;

use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use crate::{Client, PASSWORD, TestApp};

/// Somebody's phone with the secret of a second factor, as they typed it.
pub struct Authenticator {
    codes: Totp,
    /// What they wrote down when they set it up.
    pub recovery_codes: Vec<String>,
}

impl Authenticator {
    /// Sets up a second factor for a person with the password [`PASSWORD`].
    pub async fn set_up(app: &TestApp, person: &Client) -> Authenticator {
        let typed = json!({ "password": PASSWORD });
        let begun = person.post("/app/second-factor", typed).await.expect_status(201).json();
        let mut phone = Authenticator::typed(begun["secret"].as_str().expect("a secret"));
        let code = json!({ "code": phone.code(app) });
        let confirmed = person.put("/app/second-factor", code).await.expect_status(200).json();
        let codes = confirmed["recovery_codes"].as_array().expect("a list").iter();
        phone.recovery_codes =
            codes.map(|code| code.as_str().expect("a text").to_owned()).collect();
        phone
    }

    /// A phone that this secret was typed into.
    pub fn typed(secret: &str) -> Authenticator {
        let secret = Secret::try_from_base32(secret).expect("base 32");
        let codes = Builder::new().with_secret(secret).build().expect("a secret of that length");
        Authenticator { codes, recovery_codes: Vec::new() }
    }

    /// What it shows now.
    pub fn code(&self, app: &TestApp) -> String {
        self.codes.generate(app.clock.now_ms().unsigned_abs() / 1_000).to_string()
    }

    /// What it shows once the present code is over.
    pub fn next_code(&self, app: &TestApp) -> String {
        app.advance(Duration::from_secs(30));
        self.code(app)
    }
}
