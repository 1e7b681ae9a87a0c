use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use otaru_client::{Object, Product, Setting};
use otaru_wire::ProductName;
use serde_json::Value;

use crate::commands::Context;
use crate::output::plain;

#[derive(Args, Debug)]
pub struct ProductSettings {
    /// The product
    name: ProductName,
    /// Describe them from now on as in this file: a JSON array, or an object with it as
    /// `settings`; - reads the standard input
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Describe them no more: anything may be set
    #[arg(long, conflicts_with = "schema")]
    no_schema: bool,
}

impl ProductSettings {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let ProductSettings { name, schema, no_schema } = self;
        let settings = match schema {
            Some(path) => Some(read(&path)?),
            None => no_schema.then_some(Value::Null),
        };
        let client = context.client()?;
        let product = match settings {
            Some(settings) => client.set_product_settings(&name, &settings).await?,
            None => client.show_product(&name).await?,
        };
        print(context, &product)
    }
}

fn read(path: &Path) -> Result<Value> {
    let name = || format!("could not read {}", path.display());
    let text = match path.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).with_context(name)?;
            text
        }
        false => std::fs::read_to_string(path).with_context(name)?,
    };
    settings_in(&text).with_context(|| format!("{} describes no settings", path.display()))
}

fn settings_in(text: &str) -> Result<Value> {
    let json: Value = serde_json::from_str(text)?;
    let found = if json.is_array() { Some(&json) } else { json.get("settings") };
    let settings = found.filter(|settings| settings.is_array());
    settings.cloned().context("it is neither a JSON array nor an object with one as `settings`")
}

fn print(context: &Context<'_>, product: &Object<Product>) -> Result<()> {
    let Some(settings) = &product.settings else {
        let lines = [("settings", "not described: anything may be set".to_owned())];
        return Ok(context.printer.object(product.json(), &lines)?);
    };
    let rows: Vec<Vec<String>> = settings.iter().map(row).collect();
    let columns = ["name", "type", "edit", "default", "label"];
    Ok(context.printer.rows(product.json(), &columns, &rows)?)
}

fn row(setting: &Setting) -> Vec<String> {
    let label = setting.label.get("en").or_else(|| setting.label.values().next());
    vec![
        setting.name.clone(),
        setting.kind.clone(),
        setting.edit.clone(),
        plain(setting.default.as_ref()),
        label.cloned().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_an_array_or_what_the_api_shows() {
        let array = settings_in(r#"[{"name":"dim"}]"#).unwrap();
        let object = settings_in(r#"{"name":"clock","settings":[{"name":"dim"}]}"#).unwrap();
        assert_eq!(array, object);
        for wrong in ["", "{}", r#"{"settings":null}"#, "[", "3"] {
            assert!(settings_in(wrong).is_err(), "{wrong}");
        }
    }
}
