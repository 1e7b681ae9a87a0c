use otaru_wire::{ShadowName, ThingName};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{Client, ClientError, Object};

/// A page of a thing's named shadows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ShadowNames {
    /// The names.
    pub results: Vec<String>,
    /// Give this back to get the next page; `None` at the end.
    #[serde(rename = "nextToken")]
    pub next_token: Option<String>,
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

    /// The names of a thing's shadows, the classic one apart.
    pub async fn list_shadow_names(
        &self,
        thing: &ThingName,
        next_token: Option<&str>,
    ) -> Result<Object<ShadowNames>, ClientError> {
        let path = ["api", "things", "shadow", "ListNamedShadowsForThing", thing.as_str()];
        let query: Vec<_> =
            next_token.map(|token| ("nextToken", token.to_owned())).into_iter().collect();
        self.get(&path, &query).await
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
