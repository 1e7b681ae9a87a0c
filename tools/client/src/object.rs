use std::ops::Deref;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An object of the API: read as `T`, and kept as the server wrote it.
///
/// A newer server may say more than `T` knows; none of it is lost in [`Object::json`].
#[derive(Clone, Debug, PartialEq)]
pub struct Object<T> {
    object: T,
    json: Value,
}

impl<T> Object<T> {
    /// The server's own JSON.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The typed part alone.
    pub fn into_inner(self) -> T {
        self.object
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        let json = Value::deserialize(deserializer)?;
        let object = T::deserialize(&json).map_err(D::Error::custom)?;
        Ok(Object { object, json })
    }
}

/// Part of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<Object<T>>,
    /// Give this back to get the next part; `None` at the end.
    pub next_cursor: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    /// How many items at most; the server's usual number if not given.
    pub limit: Option<u32>,
    /// [`Page::next_cursor`] of the answer before.
    pub cursor: Option<String>,
}

impl Paging {
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        let cursor = self.cursor.clone().map(|cursor| ("cursor", cursor));
        limit.into_iter().chain(cursor).collect()
    }
}
