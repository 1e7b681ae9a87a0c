use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use otaru_client::Certificate;
use otaru_wire::ThingName;

use crate::commands::{Context, authority};
use crate::output::or_dash;

#[derive(Subcommand, Debug)]
pub enum CertificateCommand {
    /// Let a device come with another certificate of one of your own authorities
    Add {
        /// The device
        thing: ThingName,
        /// The certificate, PEM, followed by those between it and the authority
        file: PathBuf,
    },
    /// List the certificates of a device
    List {
        /// The device
        thing: ThingName,
    },
}

impl CertificateCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            CertificateCommand::Add { thing, file } => {
                let pem = authority::read_pem(&file)?;
                let added = client.add_certificate(&thing, &pem).await?;
                let lines = [("serial", added.serial.clone()), ("issuer", added.issuer.clone())];
                Ok(context.printer.object(added.json(), &lines)?)
            }
            CertificateCommand::List { thing } => {
                let page = client.list_certificates(&thing).await?;
                let columns = ["serial", "issuer", "registered", "revoked", "renews"];
                Ok(context.printer.page(&page, &columns, row)?)
            }
        }
    }
}

fn row(certificate: &Certificate) -> Vec<String> {
    let issuer = match certificate.is_own {
        true => "this server".to_owned(),
        false => certificate.issuer.clone(),
    };
    vec![
        certificate.serial.clone(),
        issuer,
        certificate.created_at.clone(),
        or_dash(certificate.revoked_at.as_deref()),
        or_dash(certificate.renews.as_deref()),
    ]
}

#[derive(Args, Debug)]
pub struct Revoke {
    /// The device
    thing: ThingName,
    /// Only its certificate with this serial number, in hex
    #[arg(long, value_name = "HEX")]
    serial: Option<String>,
    /// Of this issuer: SHA-256 of its certificate, in hex
    #[arg(long, value_name = "HEX", requires = "serial")]
    issuer: Option<String>,
}

impl Revoke {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let Revoke { thing, serial, issuer } = &self;
        let what = match serial {
            None => format!("the certificates of {thing} stop working"),
            Some(serial) => format!("certificate {serial} of {thing} stops working"),
        };
        context.confirm(&format!("{what}, and what is open with them ends; revoke?"))?;
        let client = context.client()?;
        client.revoke_device(thing, serial.as_deref(), issuer.as_deref()).await?;
        eprintln!("{what}");
        Ok(())
    }
}
