//! `otaru demo`: the whole job on this machine, with real processes and real commands.
//!
//! Server and devices are child processes that share nothing but URLs,
//! certificates and files; the publisher and the operator are this program's
//! own commands; the owner is a token that claims, installs and listens.

mod commands;
mod owner;
mod processes;
mod story;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::Args;

use crate::machine;
use story::Story;

/// Flags of `otaru demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArguments {
    /// Press Install too, and end once every device has.
    #[arg(long)]
    auto: bool,
    /// Publish a firmware that fails its self-test: every device must go back and say why.
    #[arg(long, requires = "auto")]
    bad_release: bool,
    /// How many devices.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    devices: u8,
    /// Folder for everything; a temporary one that goes away if not given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How long the self-test of the new firmware takes, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    self_test_ms: u64,
    /// Give up after this many seconds.
    #[arg(long, value_name = "N", default_value_t = 120)]
    limit_s: u64,
}

/// Runs the demo; any end but the one promised is an error with the reason.
pub(crate) async fn demo(arguments: DemoArguments) -> anyhow::Result<()> {
    let limit = Duration::from_secs(arguments.limit_s);
    let temporary = match &arguments.data {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("otaru-demo-").tempdir()?),
    };
    let folder = match (&arguments.data, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => bail!("no folder for the demo"),
    };
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut story = Story::new(folder, &arguments);
    let told = tokio::select! {
        told = tokio::time::timeout(limit, story.tell(arguments.auto)) => match told {
            Ok(told) => told,
            Err(_) => Err(anyhow::anyhow!("not finished after {} s", limit.as_secs())),
        },
        () = machine::asked_to_end() => Err(anyhow::anyhow!("stopped before the end")),
    };
    if let Err(error) = told {
        story.tell_what_the_processes_said();
        return Err(error);
    }
    if !arguments.auto {
        story.say("Everything stays up until Ctrl-C");
        machine::asked_to_end().await;
    }
    Ok(())
}
