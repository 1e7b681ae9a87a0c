use std::io::Read;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use otaru_wire::{ShadowName, ThingName};
use serde_json::{Value, json};

use super::Context;

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
    /// List the names of a thing's shadows, the classic one apart
    List {
        /// The thing
        thing: ThingName,
    },
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
            ShadowCommand::List { thing } => list(context, &client, &thing).await?,
        }
        Ok(())
    }
}

async fn list(
    context: &Context<'_>,
    client: &otaru_client::Client,
    thing: &ThingName,
) -> Result<()> {
    let mut names = Vec::new();
    let mut next_token = None;
    loop {
        let page = client.list_shadow_names(thing, next_token.as_deref()).await?;
        let json = page.json().clone();
        let page = page.into_inner();
        names.extend(page.results);
        next_token = page.next_token;
        if next_token.is_none() {
            names.iter().try_for_each(|name| context.printer.line(name))?;
            if context.printer.format != crate::Format::Table {
                let timestamp = json["timestamp"].clone();
                context.printer.document(&json!({ "results": names, "timestamp": timestamp }))?;
            }
            return Ok(());
        }
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
