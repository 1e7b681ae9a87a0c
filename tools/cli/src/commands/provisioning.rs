//! `otaru provisioning`: how devices of a batch become things, and who waits for approval.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use otaru_client::{ClaimCertificate, NewTemplate, Object, Provisioning, Template};
use otaru_wire::{ProductName, TemplateName, ThingName};

use super::token::after;
use super::{Context, ListOptions};
use crate::keys;
use crate::output::or_dash;
use crate::units;

#[derive(Subcommand, Debug)]
pub enum ProvisioningCommand {
    /// What devices of a batch become
    #[command(subcommand)]
    Template(TemplateCommand),
    /// Make the certificate that all devices of a batch have
    ClaimCertificate(Claim),
    /// List the claim certificates of a template
    ClaimCertificates {
        /// The template
        name: TemplateName,
    },
    /// Stop a claim certificate from working
    RevokeClaimCertificate {
        /// Its serial number
        serial: String,
    },
    /// List devices that wait for approval
    Queue(#[command(flatten)] ListOptions),
    /// Let a device in that waits
    Approve {
        /// Its id in the queue
        id: String,
    },
    /// Turn a device away that waits
    Reject {
        /// Its id in the queue
        id: String,
    },
    /// Let another key take a device's name, once within seven days
    Allow {
        /// The device
        thing: ThingName,
    },
}

#[derive(Subcommand, Debug)]
pub enum TemplateCommand {
    /// Add a template
    Add(Box<Add>),
    /// List templates
    List(#[command(flatten)] ListOptions),
    /// Show a template
    Show {
        /// The template
        name: TemplateName,
    },
    /// Remove a template with its claim certificates; what it made stays
    Remove {
        /// The template
        name: TemplateName,
    },
}

#[derive(Args, Debug)]
pub struct Add {
    /// Its name, 1 to 36 of [0-9A-Za-z_-]
    name: TemplateName,
    /// What kind of device it makes
    #[arg(long, value_name = "NAME")]
    product: ProductName,
    /// What they are called, such as clock-{SerialNumber}
    #[arg(long, value_name = "PATTERN")]
    thing_name: String,
    /// How many it makes at most
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Certificates that one claim certificate gets in a minute [default: 60]
    #[arg(long, value_name = "N")]
    per_minute: Option<u32>,
    /// How long it works, such as 90d
    #[arg(long, value_name = "TIME", value_parser = units::lifetime)]
    expires: Option<Duration>,
    /// Have an operator approve of each device before it can connect
    #[arg(long)]
    approve: bool,
    /// File with the values of SerialNumber it is limited to, one a line
    #[arg(long, value_name = "FILE")]
    serials: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Claim {
    /// The template
    name: TemplateName,
    /// Folder for claim.pem, claim.key and ca.pem
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How long it works, such as 30d; as long as its template, or a year, if not given
    #[arg(long, value_name = "TIME", value_parser = units::lifetime)]
    expires: Option<Duration>,
}

impl ProvisioningCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            ProvisioningCommand::Template(command) => return command.run(context).await,
            ProvisioningCommand::ClaimCertificate(claim) => return claim.run(context).await,
            ProvisioningCommand::ClaimCertificates { name } => {
                let page = context.client()?.list_claim_certificates(&name).await?;
                let columns = ["serial", "template", "expires", "revoked"];
                context.printer.page(&page, &columns, claim_row)?;
            }
            ProvisioningCommand::RevokeClaimCertificate { serial } => {
                context.client()?.revoke_claim_certificate(&serial).await?;
                context.printer.line(&format!("claim certificate {serial} is revoked"))?;
            }
            ProvisioningCommand::Queue(list) => {
                let client = context.client()?;
                let page = list
                    .fetch(async |paging| client.list_provisioning_queue(&paging).await)
                    .await?;
                let columns = ["id", "thing", "template", "status", "asked", "key"];
                context.printer.page(&page, &columns, queue_row)?;
            }
            ProvisioningCommand::Approve { id } => {
                let device = context.client()?.approve_provisioning(&id).await?;
                let lines = [("thing", device.thing.clone()), ("product", device.product.clone())];
                context.printer.object(device.json(), &lines)?;
            }
            ProvisioningCommand::Reject { id } => {
                context.client()?.reject_provisioning(&id).await?;
                context.printer.line(&format!("{id} is turned away"))?;
            }
            ProvisioningCommand::Allow { thing } => {
                context.client()?.allow_reprovisioning(&thing).await?;
                let line = format!("another key may take the name {thing} once, within seven days");
                context.printer.line(&line)?;
            }
        }
        Ok(())
    }
}

impl TemplateCommand {
    async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            TemplateCommand::Add(add) => print(context, &client.add_template(&add.read()?).await?),
            TemplateCommand::List(list) => {
                let page = list.fetch(async |paging| client.list_templates(&paging).await).await?;
                let columns = ["name", "product", "thing name", "devices", "limit", "approve"];
                Ok(context.printer.page(&page, &columns, template_row)?)
            }
            TemplateCommand::Show { name } => print(context, &client.show_template(&name).await?),
            TemplateCommand::Remove { name } => {
                let question = format!(
                    "claim certificates of {name} stop working, and who waits by it is turned \
                     away; remove it?"
                );
                context.confirm(&question)?;
                client.remove_template(&name).await?;
                Ok(context.printer.line(&format!("template {name} is removed"))?)
            }
        }
    }
}

impl Add {
    fn read(self) -> Result<NewTemplate> {
        Ok(NewTemplate {
            name: self.name,
            product: self.product,
            thing_name: self.thing_name,
            device_limit: self.limit,
            per_minute: self.per_minute,
            expires_at: self.expires.map(after).transpose()?,
            approve: self.approve,
            serial_numbers: self.serials.as_deref().map(serials).transpose()?,
        })
    }
}

fn serials(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read {}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

impl Claim {
    async fn run(self, context: &Context<'_>) -> Result<()> {
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("could not make {}", self.out.display()))?;
        let paths = ["claim.pem", "claim.key", "ca.pem"].map(|name| self.out.join(name));
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            bail!("{} exists; give an empty folder", path.display());
        }
        let expires_at = self.expires.map(after).transpose()?;
        let client = context.client()?;
        let made = client.create_claim_certificate(&self.name, expires_at.as_deref()).await?;
        let contents = [(&made.cert_pem, 0o644), (&made.key_pem, 0o600), (&made.ca_pem, 0o644)];
        for (path, (text, mode)) in paths.iter().zip(contents) {
            keys::write_new(path, text.as_bytes(), mode).with_context(|| {
                format!(
                    "the key is lost; `otaru provisioning revoke-claim-certificate {}` ends it",
                    made.serial
                )
            })?;
        }
        let lines = [
            ("serial", made.serial.clone()),
            ("template", made.template.clone()),
            ("expires", made.expires_at.clone()),
            ("mqtt url", made.mqtt_url.clone()),
            ("folder", self.out.display().to_string()),
        ];
        let shown = serde_json::json!({
            "serial": made.serial, "template": made.template, "expires_at": made.expires_at,
            "mqtt_url": made.mqtt_url,
        });
        Ok(context.printer.object(&shown, &lines)?)
    }
}

fn print(context: &Context<'_>, template: &Object<Template>) -> Result<()> {
    let number = |number: Option<u64>| or_dash(number.map(|n| n.to_string()).as_deref());
    let lines = [
        ("name", template.name.clone()),
        ("product", template.product.clone()),
        ("thing name", template.thing_name.clone()),
        ("devices", template.devices.to_string()),
        ("limit", number(template.device_limit.map(u64::from))),
        ("serials", number(template.serial_numbers)),
        ("approve", yes_or_no(template.approve)),
        ("expires", or_dash(template.expires_at.as_deref())),
    ];
    Ok(context.printer.object(template.json(), &lines)?)
}

fn template_row(template: &Template) -> Vec<String> {
    vec![
        template.name.clone(),
        template.product.clone(),
        template.thing_name.clone(),
        template.devices.to_string(),
        or_dash(template.device_limit.map(|limit| limit.to_string()).as_deref()),
        yes_or_no(template.approve),
    ]
}

fn claim_row(claim: &ClaimCertificate) -> Vec<String> {
    vec![
        claim.serial.clone(),
        claim.template.clone(),
        claim.expires_at.clone(),
        yes_or_no(claim.revoked),
    ]
}

fn queue_row(waiting: &Provisioning) -> Vec<String> {
    vec![
        waiting.id.clone(),
        waiting.thing.clone(),
        waiting.template.clone(),
        waiting.status.clone(),
        waiting.requested_at.clone(),
        waiting.key_sha256.clone(),
    ]
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
