mod add;
mod certificates;
mod enrol;
mod flash_image;
mod fleet;
mod folder;
mod logs;
mod qr_code;
mod renew;
mod settings;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use otaru_client::{Device, DeviceFilter, Object, Running};
use otaru_wire::ThingName;

pub use fleet::add_devices;

use super::{Context, ListOptions};
use crate::exit::WrongUsage;
use crate::output::or_dash;

#[derive(Subcommand, Debug)]
pub enum DeviceCommand {
    /// Register a device and write what it is provisioned with
    Add(add::Add),
    /// Give a device a new certificate and write what it is provisioned with
    Renew(renew::Renew),
    /// Stop a device's certificates from working and end what is open with them
    Revoke(certificates::Revoke),
    /// What a device may come with
    #[command(subcommand)]
    Certificate(certificates::CertificateCommand),
    /// Make a token with which a device that keeps its key becomes this one
    EnrolmentToken(enrol::CreateToken),
    /// List enrolment tokens, without their secrets
    EnrolmentTokens(#[command(flatten)] ListOptions),
    /// Stop an enrolment token from working
    RevokeEnrolmentToken {
        /// Its id
        id: String,
    },
    /// Make a key here and become the device that a token is for
    Enrol(enrol::Enrol),
    /// Put another device in this one's place: owner, shares, rules and what is desired
    Replace {
        /// The device that goes out of service
        old: ThingName,
        /// The one that takes its place: registered, and nobody's
        new: ThingName,
    },
    /// Take a device out of service
    Decommission {
        /// The device
        thing: ThingName,
        /// Take it from lists and history, too: its name is free again
        #[arg(long)]
        forget: bool,
    },
    /// Make the flash image that a board is provisioned with
    FlashImage(flash_image::FlashImage),
    /// List devices
    List(DeviceListOptions),
    /// Show a device
    Show {
        /// The device
        thing: ThingName,
    },
    /// Set the channel a device follows
    Channel {
        /// The device
        thing: ThingName,
        /// stable, beta, …
        channel: String,
    },
    /// Show a device's settings, or wish some for it
    Settings(settings::DeviceSettings),
    /// Show or follow a device's log
    Logs(logs::Logs),
    /// Make the code that lets an owner claim a device
    ClaimCode {
        /// The device
        thing: ThingName,
        /// Draw its QR code in the terminal, too
        #[arg(long)]
        qr: bool,
        /// Write its QR code, to be printed, into this file
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
pub struct DeviceListOptions {
    /// Only those whose certificate ends within so many days, or has ended
    #[arg(long, value_name = "DAYS")]
    certificate_ends_within_days: Option<u32>,
    #[command(flatten)]
    list: ListOptions,
}

impl DeviceListOptions {
    async fn run(self, context: &Context<'_>) -> Result<()> {
        let DeviceListOptions { certificate_ends_within_days, list } = self;
        let filter = DeviceFilter { certificate_ends_within_days, ..DeviceFilter::default() };
        let client = context.client()?;
        let page = list.fetch(async |paging| client.find_devices(&filter, &paging).await).await?;
        if certificate_ends_within_days.is_some() {
            let columns = ["thing", "product", "online", "last seen", "certificate ends"];
            return Ok(context.printer.page(&page, &columns, end_row)?);
        }
        let columns = ["thing", "product", "online", "version", "state", "last seen"];
        Ok(context.printer.page(&page, &columns, row)?)
    }
}

impl DeviceCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            DeviceCommand::Add(add) => add.run(context).await,
            DeviceCommand::Renew(renew) => renew.run(context).await,
            DeviceCommand::Revoke(revoke) => revoke.run(context).await,
            DeviceCommand::Certificate(command) => command.run(context).await,
            DeviceCommand::EnrolmentToken(create) => create.run(context).await,
            DeviceCommand::EnrolmentTokens(list) => enrol::list(context, list).await,
            DeviceCommand::RevokeEnrolmentToken { id } => {
                context.client()?.revoke_enrolment_token(&id).await?;
                Ok(context.printer.line(&format!("enrolment token {id} is revoked"))?)
            }
            DeviceCommand::Enrol(enrol) => enrol.run(context).await,
            DeviceCommand::Replace { old, new } => {
                if old == new {
                    let detail = format!("{old} cannot take its own place; name another device");
                    return Err(WrongUsage(detail).into());
                }
                context.confirm(&format!(
                    "{old} goes out of service for good, and {new} takes its place; do so?"
                ))?;
                print(context, &context.client()?.replace_device(&old, &new).await?)
            }
            DeviceCommand::Decommission { thing, forget } => {
                let what = if forget { "is forgotten" } else { "goes out of service for good" };
                context.confirm(&format!("{thing} {what}; do so?"))?;
                context.client()?.decommission_device(&thing, forget).await?;
                let done = if forget { "is forgotten" } else { "is out of service" };
                Ok(context.printer.line(&format!("{thing} {done}"))?)
            }
            DeviceCommand::FlashImage(image) => image.run(context),
            DeviceCommand::Settings(settings) => settings.run(context).await,
            DeviceCommand::Logs(logs) => logs.run(context).await,
            DeviceCommand::List(options) => options.run(context).await,
            DeviceCommand::Show { thing } => {
                print(context, &context.client()?.show_device(&thing).await?)
            }
            DeviceCommand::Channel { thing, channel } => {
                print(context, &context.client()?.set_device_channel(&thing, &channel).await?)
            }
            DeviceCommand::ClaimCode { thing, qr, svg } => {
                let code = context.client()?.create_claim_code(&thing).await?;
                if let Some(path) = &svg {
                    qr_code::write_svg(&code.url, path)?;
                }
                if qr {
                    eprintln!("{}", qr_code::text(&code.url)?);
                }
                let lines = [("code", code.code.clone()), ("url", code.url.clone())];
                Ok(context.printer.object(code.json(), &lines)?)
            }
        }
    }
}

/// Whether a device is there, of a list: who is out of service never comes again.
fn online(device: &Device) -> String {
    let word = match (&device.decommissioned_at, device.online) {
        (Some(_), _) => "out of service",
        (None, true) => "yes",
        (None, false) => "no",
    };
    word.to_owned()
}

fn row(device: &Device) -> Vec<String> {
    let running =
        |part: fn(&Running) -> Option<&str>| or_dash(device.running.as_ref().and_then(part));
    vec![
        device.thing.clone(),
        device.product.clone(),
        online(device),
        running(|running| running.version.as_deref()),
        running(|running| running.state.as_deref()),
        or_dash(device.last_seen_at.as_deref()),
    ]
}

/// A device of which somebody wants to know when its certificate ends.
fn end_row(device: &Device) -> Vec<String> {
    let certificate = device.certificate.as_ref();
    vec![
        device.thing.clone(),
        device.product.clone(),
        online(device),
        or_dash(device.last_seen_at.as_deref()),
        or_dash(certificate.map(|certificate| certificate.not_after.as_str())),
    ]
}

fn print(context: &Context<'_>, device: &Object<Device>) -> Result<()> {
    let mut lines = vec![
        ("thing", device.thing.clone()),
        ("product", device.product.clone()),
        ("channel", device.channel.clone()),
        ("online", if device.online { "yes" } else { "no" }.to_owned()),
        ("last seen", or_dash(device.last_seen_at.as_deref())),
        ("owner", or_dash(device.owner.as_deref())),
    ];
    if let Some(certificate) = &device.certificate {
        lines.push(("certificate ends", certificate.not_after.clone()));
    }
    if let Some(since) = &device.decommissioned_at {
        lines.push(("out of service", since.clone()));
        lines.push(("replaced by", or_dash(device.replaced_by.as_deref())));
    }
    if let Some(running) = &device.running {
        lines.extend([
            ("version", or_dash(running.version.as_deref())),
            ("sha256", or_dash(running.sha256.as_deref())),
            ("slot", or_dash(running.slot.as_deref())),
            ("state", or_dash(running.state.as_deref())),
        ]);
    }
    Ok(context.printer.object(device.json(), &lines)?)
}
