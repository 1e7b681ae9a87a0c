//! Devices by their own keys: the token is made at a desk, the key wherever it is used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use otaru_client::{Client, ClientOptions, EnrolmentToken};
use otaru_keys::{Answer, Enrolment, EnrolmentFile};
use otaru_release::PublicKey;
use otaru_wire::{ProductName, ThingName};

use crate::commands::token::after;
use crate::commands::{Context, ListOptions};
use crate::keys;
use crate::output::or_dash;
use crate::units;

#[derive(Args, Debug)]
pub struct CreateToken {
    /// Its thing name, at most 64 of [a-zA-Z0-9:_-]
    thing: ThingName,
    /// What kind it is
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    /// How long the token works, such as 7d or 12h
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = units::lifetime)]
    expires: Duration,
    /// File for the token and where it is used, for its device alone
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The product's root key for firmware, as you have it; what the server says if none is given
    #[arg(long, value_name = "FILE")]
    root_pub: Option<PathBuf>,
}

impl CreateToken {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        if self.out.exists() {
            bail!("{} exists; name a new file", self.out.display());
        }
        let own_root = self.root_pub.as_deref().map(read_root).transpose()?;
        let expires_at = after(self.expires)?;
        let client = context.client()?;
        let made = client.create_enrolment_token(&self.thing, &self.product, &expires_at).await?;
        let file = EnrolmentFile {
            token: made.token.clone(),
            device_url: made.device_url.clone(),
            ca_pem: made.ca_pem.clone(),
            root_pub: own_root.unwrap_or_else(|| made.root_pub.clone()),
        };
        keys::write_new(&self.out, file.to_text().as_bytes(), 0o600).with_context(|| {
            format!("the token is lost; `otaru device revoke-enrolment-token {}` ends it", made.id)
        })?;
        let lines = [
            ("id", made.id.clone()),
            ("thing", made.thing.clone()),
            ("expires", made.expires_at.clone()),
            ("file", self.out.display().to_string()),
        ];
        let mut shown = made.json().clone();
        if let Some(members) = shown.as_object_mut() {
            members.remove("token");
            members.remove("ca_pem");
        }
        Ok(context.printer.object(&shown, &lines)?)
    }
}

#[derive(Args, Debug)]
pub struct Enrol {
    /// File that `device enrolment-token` wrote
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Folder for cert.pem, key.pem, ca.pem, root.pub and device.toml; one that was begun goes on
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Enrol {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        if Enrolment::is_done(&self.out) {
            bail!("{} is a device's already", self.out.display());
        }
        let file = EnrolmentFile::read(&self.token_file)?;
        let enrolment = Enrolment::begin(&self.out)?;
        let ca_pem = Some(file.ca_pem.clone().into_bytes());
        let options = ClientOptions { server: file.device_url.clone(), token: None, ca_pem };
        let client = Client::new(&options)?;
        let enrolled = client.enrol_device(&file.token, &enrolment.request()?).await?;
        let answer = Answer {
            cert_pem: enrolled.cert_pem.clone(),
            ca_pem: enrolled.ca_pem.clone(),
            root_pub: enrolled.root_pub.clone(),
            device_toml: enrolled.device_toml.clone(),
        };
        enrolment.finish(&file, &answer)?;
        let lines = [
            ("thing", enrolled.thing.clone()),
            ("product", enrolled.product.clone()),
            ("folder", self.out.display().to_string()),
        ];
        Ok(context.printer.object(enrolled.json(), &lines)?)
    }
}

/// The text of a root key's file, if it holds one.
fn read_root(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("could not read {}", path.display()))?;
    PublicKey::from_file(&text).with_context(|| format!("{} is no root key", path.display()))?;
    Ok(text)
}

/// Prints enrolment tokens.
pub(super) async fn list(context: &Context<'_>, list: ListOptions) -> Result<()> {
    let client = context.client()?;
    let page = list.fetch(async |paging| client.list_enrolment_tokens(&paging).await).await?;
    let columns = ["id", "thing", "product", "expires", "used", "revoked"];
    Ok(context.printer.page(&page, &columns, row)?)
}

fn row(token: &EnrolmentToken) -> Vec<String> {
    vec![
        token.id.clone(),
        token.thing.clone(),
        token.product.clone(),
        token.expires_at.clone(),
        or_dash(token.used_at.as_deref()),
        if token.revoked { "yes" } else { "no" }.to_owned(),
    ]
}
