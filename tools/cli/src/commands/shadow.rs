mod watch;

use std::io::Read;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use otaru_client::{Shadow, ShadowChange, ShadowWriter};
use otaru_wire::{ShadowName, ThingName};
use serde_json::{Value, json};

use super::{Context, ListOptions};

#[derive(Subcommand, Debug)]
pub enum ShadowCommand {
    /// Print a shadow's document
    Get(WhichShadow),
    /// Change a shadow
    Set {
        #[command(flatten)]
        shadow: WhichShadow,
        /// An update such as {"state":{"desired":{…}}}, its sections, or only what is desired;
        /// - reads it from the standard input
        json: String,
    },
    /// Delete a shadow
    Delete(WhichShadow),
    /// List a thing's shadows
    List {
        /// The thing
        thing: ThingName,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Show the last versions of a shadow, newest first: who made each, when, and of what
    History {
        #[command(flatten)]
        shadow: WhichShadow,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Print each new version of a shadow as it is made, until interrupted
    Watch(WhichShadow),
}

#[derive(Args, Debug)]
pub struct WhichShadow {
    /// The thing
    thing: ThingName,
    /// The shadow's name; the classic shadow without
    #[arg(long)]
    name: Option<ShadowName>,
}

impl ShadowCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            ShadowCommand::Get(WhichShadow { thing, name }) => {
                let document = client.get_shadow(&thing, name.as_ref()).await?;
                context.printer.document(&document)?;
            }
            ShadowCommand::Set { shadow: WhichShadow { thing, name }, json } => {
                let request = read_request(&json)?;
                let accepted = client.update_shadow(&thing, name.as_ref(), &request).await?;
                context.printer.document(&accepted)?;
            }
            ShadowCommand::Delete(WhichShadow { thing, name }) => {
                context.confirm(&format!("Delete the shadow of {thing}?"))?;
                let deleted = client.delete_shadow(&thing, name.as_ref()).await?;
                context.printer.document(&deleted)?;
            }
            ShadowCommand::List { thing, list } => {
                let page =
                    list.fetch(async |paging| client.list_shadows(&thing, &paging).await).await?;
                context.printer.page(
                    &page,
                    &["name", "version", "changed", "bytes", "delta"],
                    row,
                )?;
            }
            ShadowCommand::History { shadow: WhichShadow { thing, name }, list } => {
                let fetch =
                    async |paging| client.list_shadow_history(&thing, name.as_ref(), &paging).await;
                let page = list.fetch(fetch).await?;
                context.printer.page(&page, &["version", "at", "by", "change"], change_row)?;
            }
            ShadowCommand::Watch(shadow) => watch::watch(context, &client, &shadow).await?,
        }
        Ok(())
    }
}

fn row(shadow: &Shadow) -> Vec<String> {
    vec![
        shadow.name.clone().unwrap_or_else(|| "(classic)".to_owned()),
        shadow.version.to_string(),
        shadow.updated_at.clone(),
        shadow.size.to_string(),
        if shadow.has_delta { "yes" } else { "no" }.to_owned(),
    ]
}

fn change_row(change: &ShadowChange) -> Vec<String> {
    vec![change.version.to_string(), change.at.clone(), who(&change.by), what(change)]
}

fn who(by: &ShadowWriter) -> String {
    let kind = by.kind.replace('_', " ");
    match &by.id {
        Some(id) => format!("{kind} {id}"),
        None => kind,
    }
}

fn what(change: &ShadowChange) -> String {
    match &change.change {
        _ if change.deleted => "deleted".to_owned(),
        Some(change) => change.to_string(),
        None => format!("{} bytes, not kept", change.size),
    }
}

/// An update as the API takes it: around sections comes `state`, around anything else also
/// `desired`.
fn read_request(text: &str) -> Result<Value> {
    let text = match text {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
            text
        }
        text => text.to_owned(),
    };
    let value: Value = serde_json::from_str(&text).context("the shadow update is not JSON")?;
    if value.get("state").is_some() {
        return Ok(value);
    }
    let sections = value.as_object().filter(|members| !members.is_empty()).is_some_and(|members| {
        members.keys().all(|key| matches!(key.as_str(), "desired" | "reported"))
    });
    Ok(if sections { json!({ "state": value }) } else { json!({ "state": { "desired": value } }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_state_is_desired() {
        let whole = r#"{"state":{"reported":{"a":1}},"version":3}"#;
        assert_eq!(read_request(whole).unwrap().to_string(), whole);
        assert_eq!(
            read_request(r#"{"config":{"phrase_type":"b"}}"#).unwrap(),
            json!({ "state": { "desired": { "config": { "phrase_type": "b" } } } })
        );
        assert_eq!(
            read_request(r#"{"desired":null}"#).unwrap(),
            json!({ "state": { "desired": null } })
        );
        assert!(read_request("{").is_err());
    }
}
