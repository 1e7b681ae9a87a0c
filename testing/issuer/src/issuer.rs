use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use url::Url;

use crate::{Key, endpoints};

/// What the server is called here.
pub const CLIENT: &str = "otaru";

/// What proves that; with characters that a form writes otherwise.
pub const SECRET: &str = "s:e c+r%t";

/// A provider, until it is dropped.
pub struct Issuer {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

pub(crate) struct Inner {
    pub(crate) url: String,
    pub(crate) keys: Mutex<Vec<Key>>,
    pub(crate) codes: Mutex<HashMap<String, Code>>,
    /// Members of its description that are other than usual; null for none.
    pub(crate) description: Mutex<Value>,
    /// What it says of people beside its tokens.
    pub(crate) user_info: Mutex<Option<Value>>,
    pub(crate) keys_asked: AtomicU32,
    pub(crate) is_away: AtomicBool,
}

/// A code that was given out and not taken.
pub(crate) struct Code {
    pub(crate) challenge: String,
    pub(crate) redirect_uri: String,
    pub(crate) id_token: String,
}

impl Issuer {
    /// A provider with one key on P-256.
    pub async fn start() -> Issuer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let inner = Arc::new(Inner {
            url: format!("http://127.0.0.1:{port}"),
            keys: Mutex::new(vec![Key::p256("first")]),
            codes: Mutex::default(),
            description: Mutex::new(json!({})),
            user_info: Mutex::default(),
            keys_asked: AtomicU32::new(0),
            is_away: AtomicBool::new(false),
        });
        let router = endpoints::router(inner.clone());
        let serving = async move { axum::serve(listener, router).await.expect("it serves") };
        Issuer { inner, task: tokio::spawn(serving) }
    }

    /// Its name, and where it is.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Where its keys are.
    pub fn keys_url(&self) -> String {
        format!("{}/keys", self.inner.url)
    }

    /// Signs with this key from now on; those before are published no more.
    pub fn set_key(&self, key: Key) {
        *self.inner.keys.lock().expect("no panic") = vec![key];
    }

    /// A token by its key.
    pub fn sign(&self, claims: &Value) -> String {
        self.inner.keys.lock().expect("no panic")[0].sign(claims)
    }

    /// A token by its key, with another header.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        self.inner.keys.lock().expect("no panic")[0].sign_with(header, claims)
    }

    /// Its key, as somebody would use it as a secret.
    pub fn public_bytes(&self) -> Vec<u8> {
        self.inner.keys.lock().expect("no panic")[0].public_bytes()
    }

    /// Describes itself otherwise: members that are null are left out.
    pub fn describe(&self, members: Value) {
        *self.inner.description.lock().expect("no panic") = members;
    }

    /// Says this of whoever asks with a token of its own.
    pub fn set_user_info(&self, info: Value) {
        *self.inner.user_info.lock().expect("no panic") = Some(info);
    }

    /// Answers nobody any more, or again.
    pub fn set_away(&self, is_away: bool) {
        self.inner.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How often somebody asked for its keys.
    pub fn keys_asked(&self) -> u32 {
        self.inner.keys_asked.load(Ordering::SeqCst)
    }

    /// Lets somebody in whom a browser brought: `claims` become the token, with the nonce of the
    /// request if they have none. Returns the query that the browser goes back with.
    pub fn let_in(&self, authorization_url: &str, mut claims: Value) -> String {
        let url: Url = authorization_url.parse().expect("a URL");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{asked:?}");
        let members = claims.as_object_mut().expect("claims");
        members.entry("nonce").or_insert_with(|| asked["nonce"].clone().into());
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("random bytes");
        let code = URL_SAFE_NO_PAD.encode(bytes);
        let given = Code {
            challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
            id_token: self.sign(&claims),
        };
        self.inner.codes.lock().expect("no panic").insert(code.clone(), given);
        form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", self.url())
            .finish()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    /// The token of a code, for whoever may have it: once.
    pub(crate) fn redeem(&self, form: &HashMap<String, String>) -> Option<String> {
        let code = self.codes.lock().expect("no panic").remove(form.get("code")?)?;
        let verifier = form.get("code_verifier")?;
        let challenge = digest::digest(&digest::SHA256, verifier.as_bytes());
        let proves = URL_SAFE_NO_PAD.encode(challenge) == code.challenge
            && form.get("redirect_uri") == Some(&code.redirect_uri)
            && form.get("grant_type").map(String::as_str) == Some("authorization_code");
        proves.then_some(code.id_token)
    }
}
