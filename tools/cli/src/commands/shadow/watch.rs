//! Following a shadow from version to version.

use std::time::Duration;

use anyhow::Result;
use otaru_client::{Client, ClientError, Event, Events, Object, Paging, ShadowChange};
use serde_json::Value;

use super::{WhichShadow, what, who};
use crate::commands::Context;
use crate::output::{Format, Printer};

/// How often the shadow is looked at when nothing is heard: hints are not repeated to who was
/// cut off when they were told.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Most versions the server gives in one answer.
const MOST: u32 = 200;

/// A version that was not shown yet.
enum Version {
    /// As the history has it.
    Change(Object<ShadowChange>),
    /// The document, where the server keeps no history; there may have been others between.
    Document(u64, Value),
}

/// Prints every version of the shadow from now on.
///
/// Events only say when to look: what is printed is what the server keeps, so that none is
/// left out that came between two looks.
pub(super) async fn watch(
    context: &Context<'_>,
    client: &Client,
    shadow: &WhichShadow,
) -> Result<()> {
    let mut events = client.listen(None).await?;
    let mut seen = newer(client, shadow, 0).await?.last().map_or(0, Version::number);
    loop {
        wait_for_news(&mut events, shadow, seen).await?;
        match newer(client, shadow, seen).await {
            Ok(versions) => {
                for version in versions {
                    print(context, &version)?;
                    seen = version.number();
                }
            }
            // A server that restarts or is asked too much is waited for; one that refuses is not.
            Err(error) if error.may_pass() => {
                tokio::time::sleep(error.retry_after().unwrap_or_default().max(LOOK_EVERY)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Versions above `seen`, oldest first.
async fn newer(
    client: &Client,
    WhichShadow { thing, name }: &WhichShadow,
    seen: u64,
) -> Result<Vec<Version>, ClientError> {
    let paging = Paging { limit: Some(MOST), cursor: None };
    let kept = client.list_shadow_history(thing, name.as_ref(), &paging).await?.items;
    if !kept.is_empty() {
        let newer = kept.into_iter().rev().filter(|change| change.version > seen);
        return Ok(newer.map(Version::Change).collect());
    }
    match client.get_shadow(thing, name.as_ref()).await {
        Ok(document) => {
            let version = document["version"].as_u64().unwrap_or_default();
            Ok(Some(Version::Document(version, document))
                .filter(|document| document.number() > seen)
                .into_iter()
                .collect())
        }
        Err(error) if error.status() == Some(404) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Returns when there is a newer version, or when it is time to look anyway.
async fn wait_for_news(
    events: &mut Events,
    shadow: &WhichShadow,
    seen: u64,
) -> Result<(), ClientError> {
    let news = async {
        while !is_news(&events.next().await?, shadow, seen) {}
        Ok(())
    };
    tokio::time::timeout(LOOK_EVERY, news).await.unwrap_or(Ok(()))
}

fn is_news(event: &Event, WhichShadow { thing, name }: &WhichShadow, seen: u64) -> bool {
    event.kind == "shadow_changed"
        && event.body["thing"] == thing.as_str()
        && event.body["name"].as_str() == name.as_ref().map(|name| name.as_str())
        && event.body["version"].as_u64().is_none_or(|version| version > seen)
}

impl Version {
    fn number(&self) -> u64 {
        match self {
            Version::Change(change) => change.version,
            Version::Document(version, _) => *version,
        }
    }
}

/// One version in one line, in JSON too: there is no end to close a list at.
fn print(context: &Context<'_>, version: &Version) -> Result<()> {
    let (json, line) = match version {
        Version::Change(change) => {
            let words = (change.version, who(&change.by), what(change));
            (change.json(), format!("{}  {}  {}  {}", change.at, words.0, words.1, words.2))
        }
        Version::Document(version, document) => {
            (document, format!("{version}  {}", document["state"]))
        }
    };
    match context.printer.format {
        Format::Table => context.printer.line(&line)?,
        _ => Printer { format: Format::Ndjson }.document(json)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_newer_version_of_this_shadow_is_news() {
        let shadow = |name: Option<&str>| WhichShadow {
            thing: "clock-01".parse().unwrap(),
            name: name.map(|name| name.parse().unwrap()),
        };
        let event = |kind: &str, body| Event { id: None, kind: kind.to_owned(), body };
        let changed = |body| event("shadow_changed", body);
        let (classic, named) = (shadow(None), shadow(Some("cfg")));
        let of_classic = changed(json!({ "thing": "clock-01", "version": 7 }));
        let of_named = changed(json!({ "thing": "clock-01", "name": "cfg", "version": 7 }));
        assert!(is_news(&of_classic, &classic, 6) && !is_news(&of_classic, &named, 6));
        assert!(is_news(&of_named, &named, 6) && !is_news(&of_named, &classic, 6));
        assert!(!is_news(&of_classic, &classic, 7));
        let others = [
            changed(json!({ "thing": "clock-02", "version": 7 })),
            event("logs_added", json!({ "thing": "clock-01", "version": 7 })),
        ];
        assert!(others.iter().all(|other| !is_news(other, &classic, 0)));
    }
}
