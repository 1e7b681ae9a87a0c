//! A device's settings: what is wished, what it reports, and whether that is the same.

use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use otaru_client::{Client, Page, Setting};
use otaru_wire::{ProductName, ThingName};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::commands::Context;
use crate::exit::WrongUsage;
use crate::output::plain;

/// Travels the same way and is no setting: releases are installed by `update start`.
const VERSION: &str = "firmware_version";

#[derive(Args, Debug)]
pub struct DeviceSettings {
    /// The device
    thing: ThingName,
    /// Wish this, such as phrase_type=poetic; JSON where the product describes no text
    #[arg(value_name = "NAME=VALUE")]
    wishes: Vec<Wish>,
    /// Take this wish back
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
}

/// A setting's name and value, as typed.
#[derive(Clone, Debug)]
struct Wish {
    name: String,
    value: String,
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(typed: &str) -> Result<Wish, String> {
        match typed.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Wish { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("{typed:?} is not NAME=VALUE")),
        }
    }
}

/// A setting with its state.
#[derive(Deserialize)]
struct State {
    name: String,
    state: String,
    value: Option<Value>,
    wished: Option<Value>,
}

impl DeviceSettings {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        self.check()?;
        let client = context.client()?;
        let device = client.show_device(&self.thing).await?;
        let product = client.show_product(&ProductName::new(device.product.as_str())?).await?;
        let described = product.settings.as_deref().unwrap_or_default();
        let wished = self.wished(described);
        if !wished.is_empty() {
            client.apply_device_settings(&self.thing, &wished).await?;
        }
        let shadow = shadow(&client, &self.thing).await?;
        let page: Page<State> = serde_json::from_value(json!({
            "items": states(described, &shadow),
            "next_cursor": null,
        }))?;
        Ok(context.printer.page(&page, &["name", "state", "value", "wished"], row)?)
    }

    fn check(&self) -> Result<(), WrongUsage> {
        let names = self.wishes.iter().map(|wish| &wish.name).chain(&self.unset);
        let names: Vec<&String> = names.collect();
        let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
        match twice {
            Some((_, name)) => Err(WrongUsage(format!("{name} is given twice"))),
            None => Ok(()),
        }
    }

    fn wished(&self, described: &[Setting]) -> Map<String, Value> {
        let wishes = self.wishes.iter().map(|Wish { name, value }| {
            let setting = described.iter().find(|setting| setting.name == *name);
            (name.clone(), typed(value, setting.map(|setting| setting.kind.as_str())))
        });
        let unset = self.unset.iter().map(|name| (name.clone(), Value::Null));
        wishes.chain(unset).collect()
    }
}

/// A value as its setting is described: `42` is text where text is expected, else a number.
fn typed(value: &str, kind: Option<&str>) -> Value {
    let text = || Value::String(value.to_owned());
    match kind {
        Some("text" | "choice") => text(),
        _ => serde_json::from_str(value).unwrap_or_else(|_| text()),
    }
}

/// The device's shadow; empty when it has none yet.
async fn shadow(client: &Client, thing: &ThingName) -> Result<Value> {
    match client.get_shadow(thing, None).await {
        Err(error) if error.status() == Some(404) => Ok(Value::Null),
        shadow => Ok(shadow?),
    }
}

/// What the product describes, in its order, then what else is wished or reported.
fn states(described: &[Setting], shadow: &Value) -> Vec<Value> {
    let part = |name: &str| shadow["state"][name]["config"].as_object();
    let (desired, reported) = (part("desired"), part("reported"));
    let mut names: Vec<&String> = described.iter().map(|setting| &setting.name).collect();
    for name in desired.into_iter().chain(reported).flat_map(Map::keys) {
        if name != VERSION && !names.contains(&name) {
            names.push(name);
        }
    }
    let states = names.into_iter().map(|name| {
        let wished = desired.and_then(|config| config.get(name));
        let value = reported.and_then(|config| config.get(name));
        let state = match (wished, value) {
            (Some(wished), value) if value != Some(wished) => "waiting",
            (_, Some(_)) => "applied",
            (_, None) => "unset",
        };
        json!({ "name": name, "state": state, "value": value, "wished": wished })
    });
    states.collect()
}

fn row(State { name, state, value, wished }: &State) -> Vec<String> {
    vec![name.clone(), state.clone(), plain(value.as_ref()), plain(wished.as_ref())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> Vec<Setting> {
        let text = r#"[
            { "name": "phrase_type", "type": "choice", "label": { "en": "Phrases" }, "edit": "owner" },
            { "name": "dim", "type": "integer", "label": { "en": "Dim" }, "edit": "operator" }
        ]"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_setting_has_a_state() {
        let shadow = json!({ "state": {
            "desired": { "config": { "phrase_type": "2", "heat": 40, "firmware_version": "1.0.5" } },
            "reported": { "config": { "phrase_type": "2", "heat": 30, "night": true } },
        } });
        let said = |shadow: &Value| {
            let states = states(&described(), shadow);
            let said = |state: &Value| format!("{} {}", state["name"], state["state"]);
            states.iter().map(said).collect::<Vec<_>>().join(", ").replace('"', "")
        };
        assert_eq!(said(&shadow), "phrase_type applied, dim unset, heat waiting, night applied");
        assert_eq!(said(&Value::Null), "phrase_type unset, dim unset");
    }

    #[test]
    fn values_are_typed_as_they_are_described() {
        let settings = DeviceSettings {
            thing: "clock-01".parse().unwrap(),
            wishes: ["phrase_type=2", "dim=2", "free=a=b", "on=true", r#"list=[1]"#]
                .map(|wish| wish.parse().unwrap())
                .to_vec(),
            unset: vec!["old".to_owned()],
        };
        assert!(settings.check().is_ok());
        let wished = json!({
            "phrase_type": "2", "dim": 2, "free": "a=b", "on": true, "list": [1], "old": null,
        });
        assert_eq!(Value::Object(settings.wished(&described())), wished);
        for wrong in ["dim", "=3", ""] {
            assert!(wrong.parse::<Wish>().is_err(), "{wrong}");
        }
        let unset = vec!["dim".to_owned()];
        let twice = DeviceSettings { unset, ..settings };
        assert_eq!(twice.check().unwrap_err().to_string(), "dim is given twice");
    }
}
