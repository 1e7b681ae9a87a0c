//! Who sends requests in a test.

use otaru_operations::create_setup_code;
use serde_json::json;

use crate::ports::Port;
use crate::{AccessKey, Client, PASSWORD, TestApp};

impl TestApp {
    /// Somebody without a credential, on the people's port.
    pub fn anonymous(&self) -> Client {
        Client::new(Port::People(self.ports.clone()))
    }

    /// The holder of a token, on the people's port.
    pub fn bearer(&self, token: &str) -> Client {
        self.anonymous().with_token(token)
    }

    /// The administrator of the first start.
    pub fn admin(&self) -> Client {
        self.bearer(&self.admin_token)
    }

    /// A token that may publish and acts for nobody.
    pub async fn publisher(&self) -> Client {
        self.token(json!({ "role": "publisher" })).await
    }

    /// A token that runs the fleet and acts for nobody.
    pub async fn operator(&self) -> Client {
        self.token(json!({ "role": "operator" })).await
    }

    /// A new end user.
    pub async fn owner(&self, email: &str) -> Client {
        let user = json!({ "email": email, "role": "owner" });
        self.admin().post("/api/v1/users", user).await.expect_status(201);
        self.token(json!({ "user": email })).await
    }

    /// A new person in their browser, with the password [`PASSWORD`].
    pub async fn person(&self, email: &str, role: &str) -> Client {
        let invited = json!({ "email": email, "role": role });
        let invited = self.admin().post("/api/v1/invitations", invited).await.expect_status(201);
        self.accept(&invited.json()["url"]).await
    }

    /// Takes an invitation in a browser, with the password [`PASSWORD`].
    pub async fn accept(&self, url: &serde_json::Value) -> Client {
        let (_, code) = url.as_str().and_then(|url| url.split_once('#')).expect("a link");
        let taken = json!({ "code": code, "password": PASSWORD });
        let taken = self.anonymous().post("/app/invitation", taken).await.expect_status(201);
        self.anonymous().signed_in(&taken)
    }

    /// The code for the first administrator, as the server would print it.
    pub async fn setup_code(&self) -> Option<String> {
        let code = create_setup_code(&self.operations).await.expect("a database that works");
        code.map(|code| code.as_str().to_owned())
    }

    /// An administrator's token of another organisation.
    pub async fn foreign_admin(&self) -> Client {
        let wanted = json!({ "name": "elsewhere", "email": "admin@elsewhere.example" });
        let made = self.admin().post("/api/v1/organisations", wanted).await.expect_status(201);
        let browser = self.accept(&made.json()["url"]).await;
        let token = json!({ "user": "admin@elsewhere.example" });
        let made = browser.post("/api/v1/tokens", token).await.expect_status(201);
        self.bearer(made.json()["token"].as_str().expect("a token"))
    }

    /// An access key, made by the administrator; `wanted` as for a token.
    pub async fn access_key(&self, wanted: serde_json::Value) -> AccessKey {
        let mut wanted = wanted;
        wanted["aws"] = true.into();
        let made = self.admin().post("/api/v1/tokens", wanted).await.expect_status(201);
        AccessKey::new(&made.json(), self.clock.clone())
    }

    async fn token(&self, wanted: serde_json::Value) -> Client {
        let made = self.admin().post("/api/v1/tokens", wanted).await.expect_status(201);
        self.bearer(made.json()["token"].as_str().expect("a token"))
    }

    /// Somebody without a certificate, on the devices' port.
    pub fn stranger(&self) -> Client {
        Client::new(Port::Devices(self.ports.clone()))
    }
}
