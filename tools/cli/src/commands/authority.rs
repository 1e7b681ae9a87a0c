use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use otaru_client::{DeviceAuthority, Object, ServerAuthority};

use super::{Context, ListOptions};
use crate::output::or_dash;

#[derive(Subcommand, Debug)]
pub enum AuthorityCommand {
    /// Print the code that an authority signs to be registered
    Code,
    /// Register an authority: devices of yours may come with its certificates
    Add {
        /// Its certificate, PEM
        file: PathBuf,
        /// What you call it
        #[arg(long)]
        label: String,
        /// A certificate that it signed, PEM, whose common name is the printed code
        #[arg(long, value_name = "FILE")]
        verification: PathBuf,
    },
    /// List your authorities
    List(#[command(flatten)] ListOptions),
    /// Show an authority
    Show {
        /// SHA-256 of its certificate, in hex
        fingerprint: String,
    },
    /// Believe an authority no more, and end what is open with its certificates
    Remove {
        /// SHA-256 of its certificate, in hex
        fingerprint: String,
    },
    /// List the server's own authorities: which one signs, and how many devices stand on each
    Status,
    /// Have a new authority of the server's own sign; the one before is believed until it is retired
    Rotate,
    /// Believe an authority of the server's own no more that was rotated out
    Retire {
        /// SHA-256 of its certificate, in hex
        fingerprint: String,
        /// Although devices or claim certificates end with it
        #[arg(long)]
        force: bool,
    },
    /// List the devices that have a certificate of an authority of the server's own
    Devices {
        /// SHA-256 of its certificate, in hex
        fingerprint: String,
        #[command(flatten)]
        list: ListOptions,
    },
}

impl AuthorityCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            AuthorityCommand::Code => {
                let code = client.registration_code().await?;
                Ok(context.printer.value(code.json(), &code.code)?)
            }
            AuthorityCommand::Add { file, label, verification } => {
                let (certificate, proof) = (read_pem(&file)?, read_pem(&verification)?);
                let added = client.add_device_authority(&label, &certificate, &proof).await?;
                print(context, &added)
            }
            AuthorityCommand::List(list) => {
                let page = list.fetch(async |paging| client.list_device_authorities(&paging).await);
                let columns = ["label", "fingerprint", "certificates", "until"];
                Ok(context.printer.page(&page.await?, &columns, row)?)
            }
            AuthorityCommand::Show { fingerprint } => {
                print(context, &client.show_device_authority(&fingerprint).await?)
            }
            AuthorityCommand::Remove { fingerprint } => {
                let authority = client.show_device_authority(&fingerprint).await?;
                let DeviceAuthority { label, certificates, .. } = &*authority;
                let question =
                    format!("{certificates} certificates of {label} will stop working; remove it?");
                context.confirm(&question)?;
                client.remove_device_authority(&fingerprint).await?;
                Ok(context.printer.line(&format!("authority {label} is removed"))?)
            }
            AuthorityCommand::Status => {
                let all = client.list_server_authorities().await?;
                let columns = ["fingerprint", "state", "devices", "claims", "waiting", "until"];
                Ok(context.printer.page(&all, &columns, server_row)?)
            }
            AuthorityCommand::Rotate => {
                let made = client.rotate_server_authority().await?;
                let lines = [
                    ("fingerprint", made.fingerprint.clone()),
                    ("state", made.state.clone()),
                    ("until", or_dash(made.not_after.as_deref())),
                ];
                Ok(context.printer.object(made.json(), &lines)?)
            }
            AuthorityCommand::Retire { fingerprint, force } => {
                let all = client.list_server_authorities().await?;
                let found = all.items.iter().find(|one| one.fingerprint == fingerprint);
                let devices = found.map_or(0, |one| one.devices + one.waiting);
                if force && devices > 0 {
                    let question = format!(
                        "{devices} devices will not be let in any more, nor trust this server; retire it?"
                    );
                    context.confirm(&question)?;
                }
                client.retire_server_authority(&fingerprint, force).await?;
                Ok(context.printer.line(&format!("authority {fingerprint} is retired"))?)
            }
            AuthorityCommand::Devices { fingerprint, list } => {
                let page = list.fetch(async |paging| {
                    client.list_devices_of_server_authority(&fingerprint, &paging).await
                });
                let columns = ["thing", "organisation", "until"];
                Ok(context.printer.page(&page.await?, &columns, |device| {
                    let until = or_dash(device.not_after.as_deref());
                    vec![device.thing.clone(), device.organisation.clone(), until]
                })?)
            }
        }
    }
}

/// A PEM file that is sent to the server, which refuses private keys.
pub(super) fn read_pem(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}

fn row(authority: &DeviceAuthority) -> Vec<String> {
    vec![
        authority.label.clone(),
        authority.fingerprint.clone(),
        authority.certificates.to_string(),
        or_dash(authority.not_after.as_deref()),
    ]
}

fn server_row(authority: &ServerAuthority) -> Vec<String> {
    vec![
        authority.fingerprint.clone(),
        authority.state.clone(),
        authority.devices.to_string(),
        authority.claim_certificates.to_string(),
        authority.waiting.to_string(),
        or_dash(authority.not_after.as_deref()),
    ]
}

fn print(context: &Context<'_>, authority: &Object<DeviceAuthority>) -> Result<()> {
    let lines = [
        ("label", authority.label.clone()),
        ("fingerprint", authority.fingerprint.clone()),
        ("subject", authority.subject.clone()),
        ("certificates", authority.certificates.to_string()),
        ("until", or_dash(authority.not_after.as_deref())),
    ];
    Ok(context.printer.object(authority.json(), &lines)?)
}
