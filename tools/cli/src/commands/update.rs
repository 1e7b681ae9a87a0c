use anyhow::Result;
use clap::Subcommand;
use otaru_client::{Object, Update, When};
use otaru_wire::{ReleaseVersion, ThingName};

use super::{Context, watch};
use crate::exit::Exit;
use crate::output::or_dash;

#[derive(Subcommand, Debug)]
pub enum UpdateCommand {
    /// Move a device to a release
    Start {
        /// The device
        thing: ThingName,
        /// The release's version
        #[arg(value_name = "VERSION")]
        release_version: ReleaseVersion,
        /// When to begin
        #[arg(long, default_value = "now", value_parser = ["now", "later", "tonight"])]
        when: String,
        /// Wait for the end: exit code 0 only if the device confirmed
        #[arg(long)]
        watch: bool,
    },
    /// Show a device's newest update
    Show {
        /// The device
        thing: ThingName,
        /// Wait for the end: exit code 0 only if the device confirmed
        #[arg(long)]
        watch: bool,
    },
    /// Stop a device's update, if it is not restarting yet
    Cancel {
        /// The device
        thing: ThingName,
    },
}

impl UpdateCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<Exit> {
        let client = context.client()?;
        let (update, is_watched) = match self {
            UpdateCommand::Start { thing, release_version, when, watch } => {
                let when = match when.as_str() {
                    "later" => When::Later,
                    "tonight" => When::Tonight,
                    _ => When::Now,
                };
                (client.request_update(&thing, &release_version, when).await?, watch)
            }
            UpdateCommand::Show { thing, watch } => {
                (client.show_device_update(&thing).await?, watch)
            }
            UpdateCommand::Cancel { thing } => (client.cancel_update(&thing).await?, false),
        };
        if is_watched {
            return watch::watch(context, &client, update).await;
        }
        print(context, &update)?;
        Ok(Exit::Done)
    }
}

pub(super) fn print(context: &Context<'_>, update: &Object<Update>) -> Result<()> {
    let reason = update.reason.as_ref().map(|reason| format!("{} ({})", reason.name, reason.code));
    let lines = [
        ("id", update.id.to_string()),
        ("thing", update.thing.clone()),
        ("version", update.version.clone()),
        ("from", or_dash(update.from.as_deref())),
        ("phase", update.phase.clone()),
        ("outcome", or_dash(update.outcome.as_deref())),
        ("reason", or_dash(reason.as_deref())),
        ("done", format!("{} of {} bytes", update.done, update.total)),
        ("attempt", update.attempt.to_string()),
        ("requested", update.requested_at.clone()),
        ("in this phase since", update.phase_at.clone()),
        ("until", or_dash(update.until.as_deref())),
    ];
    Ok(context.printer.object(update.json(), &lines)?)
}
