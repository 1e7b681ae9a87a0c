use otaru_wire::{ShadowName, ThingName};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{Client, ClientError, Page, Paging};

/// A shadow in a list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Shadow {
    /// Its name; `None` for the classic one.
    pub name: Option<String>,
    /// Its version.
    pub version: u64,
    /// When it was last written, RFC 3339.
    pub updated_at: String,
    /// Bytes of what counts against the limit of a document.
    pub size: u64,
    /// Whether something is desired that is not reported.
    pub has_delta: bool,
}

/// One version of a shadow: who made it, and of what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ShadowChange {
    /// The version that came of it.
    pub version: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub by: ShadowWriter,
    /// Whether the shadow was deleted.
    pub deleted: bool,
    /// The sections as they were written; `None` if that was too large to be kept.
    pub change: Option<Value>,
    /// Bytes of that.
    pub size: u64,
}

/// Who wrote a shadow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ShadowWriter {
    /// `device`, `token`, `access_key`, `person`, `backend` or `operation`.
    pub kind: String,
    /// Which of them, where there are several.
    pub id: Option<String>,
}

impl Client {
    /// A shadow's document; the classic shadow's without a name.
    pub async fn get_shadow(
        &self,
        thing: &ThingName,
        name: Option<&ShadowName>,
    ) -> Result<Value, ClientError> {
        self.read(self.shadow(Method::GET, thing, name)).await
    }

    /// Changes a shadow; `request` is an update such as `{"state":{"desired":{…}}}`.
    pub async fn update_shadow(
        &self,
        thing: &ThingName,
        name: Option<&ShadowName>,
        request: &Value,
    ) -> Result<Value, ClientError> {
        self.read(self.shadow(Method::POST, thing, name).json(request)).await
    }

    /// Deletes a shadow.
    pub async fn delete_shadow(
        &self,
        thing: &ThingName,
        name: Option<&ShadowName>,
    ) -> Result<Value, ClientError> {
        self.read(self.shadow(Method::DELETE, thing, name)).await
    }

    /// The shadows of a thing, the classic one first.
    pub async fn list_shadows(
        &self,
        thing: &ThingName,
        paging: &Paging,
    ) -> Result<Page<Shadow>, ClientError> {
        self.get(&["api", "v1", "devices", thing.as_str(), "shadows"], &paging.query()).await
    }

    /// The last versions of a shadow, newest first; the classic shadow's without a name.
    pub async fn list_shadow_history(
        &self,
        thing: &ThingName,
        name: Option<&ShadowName>,
        paging: &Paging,
    ) -> Result<Page<ShadowChange>, ClientError> {
        let name = name.map(|name| ("name", name.to_string()));
        let query: Vec<_> = name.into_iter().chain(paging.query()).collect();
        self.get(&["api", "v1", "devices", thing.as_str(), "shadow", "history"], &query).await
    }

    fn shadow(
        &self,
        method: Method,
        thing: &ThingName,
        name: Option<&ShadowName>,
    ) -> reqwest::RequestBuilder {
        let request = self.request(method, &["things", thing.as_str(), "shadow"]);
        match name {
            Some(name) => request.query(&[("name", name.as_str())]),
            None => request,
        }
    }
}
