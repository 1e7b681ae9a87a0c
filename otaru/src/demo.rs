//! `otaru demo`: the whole job on this machine, with real processes and real commands.
//!
//! Server and devices are child processes that share nothing but URLs,
//! certificates and files; the publisher and the operator are this program's
//! own commands. The owner is whoever opens the printed link in a browser;
//! with `--auto` a token that claims, installs and listens.

mod account;
mod board;
mod commands;
mod folder;
mod happenings;
mod owner;
mod patch;
mod processes;
mod stay;
mod story;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::machine;
use board::{Board, BoardName};
use folder::{Folder, Kept};
use story::Story;

/// Flags of `otaru demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArguments {
    /// Press Install too, and end once every device has.
    #[arg(long)]
    auto: bool,
    /// Publish a firmware that fails its self-test: every device must go back and say why.
    #[arg(long)]
    bad_release: bool,
    /// Run real firmware in QEMU in place of simulated devices: first an image, then a patch.
    #[arg(long, value_name = "BOARD", conflicts_with_all = ["self_test_ms", "link_kbps"])]
    board: Option<BoardName>,
    /// How many devices [default: 3, with --board 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=50))]
    devices: Option<u8>,
    /// Folder for everything; a temporary one that goes away if not given. One that a demo
    /// without --auto has left is gone on with.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How long the self-test of the new firmware takes, in milliseconds
    /// [default: 4000, with --auto 1000].
    #[arg(long, value_name = "N")]
    self_test_ms: Option<u64>,
    /// Speed of each device's download link, in kilobits a second
    /// [default: 640, with --auto no limit].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    link_kbps: Option<u32>,
    /// Give up after this many seconds; without --auto only setting up counts.
    #[arg(long, value_name = "N", default_value_t = 120)]
    limit_s: u64,
}

/// Runs the demo; any end but the one promised is an error with the reason.
pub(crate) async fn demo(arguments: DemoArguments) -> anyhow::Result<()> {
    let folder = Folder::open(arguments.data.as_deref())?;
    let kept = what_to_go_on_with(&arguments, &folder)?;
    let board = arguments.board.or(kept.as_ref().and_then(|kept| kept.board));
    let board = board.map(Board::find).transpose()?;
    let mut story = Story::new(folder.path().to_owned(), &arguments, board);
    let told = tokio::select! {
        told = tell(&mut story, &arguments, &folder, kept) => told,
        // Who only watches has seen enough; who waits for the end has not got it.
        () = asked_to_end(), if !arguments.auto => Ok(()),
        () = asked_to_end(), if arguments.auto => Err(anyhow::anyhow!("stopped before the end")),
    };
    if told.is_err() {
        story.tell_what_the_processes_said();
    }
    story.end().await;
    folder.end()?;
    told
}

async fn tell(
    story: &mut Story,
    arguments: &DemoArguments,
    folder: &Folder,
    kept: Option<Kept>,
) -> anyhow::Result<()> {
    let limit = Duration::from_secs(arguments.limit_s);
    let too_slow = || format!("not finished after {} s", limit.as_secs());
    if arguments.auto {
        return tokio::time::timeout(limit, story.act()).await.with_context(too_slow)?;
    }
    let set_up = async {
        match kept {
            Some(kept) => story.go_on(kept).await,
            None => story.set_up().await,
        }
    };
    let kept = tokio::time::timeout(limit, set_up).await.with_context(too_slow)??;
    folder.keep(&kept)?;
    story.stay(&kept, arguments.data.is_some()).await
}

/// The demo that the folder holds; refuses a folder that is neither empty nor such a one.
fn what_to_go_on_with(arguments: &DemoArguments, folder: &Folder) -> anyhow::Result<Option<Kept>> {
    let path = folder.path().display();
    let Some(kept) = folder.kept()? else {
        if let Some(name) = folder.left_behind() {
            bail!("{path} holds {name} of another run: remove the folder or choose another --data");
        }
        return Ok(None);
    };
    let another = "remove the folder or choose another --data";
    if arguments.auto {
        bail!("{path} holds a demo already, and --auto begins from nothing: {another}");
    }
    if arguments.board.is_some() && kept.board != arguments.board {
        bail!("{path} holds a demo with simulated devices: {another}");
    }
    if arguments.bad_release && !kept.bad_release {
        bail!("{path} holds a demo with a good release: {another}");
    }
    if arguments.devices.is_some_and(|devices| usize::from(devices) != kept.things.len()) {
        bail!("{path} holds a demo with {} devices: {another}", kept.things.len());
    }
    Ok(Some(kept))
}

/// Returns when somebody asks this process to end, also by closing its terminal.
async fn asked_to_end() {
    let hung_up = async {
        match signal(SignalKind::hangup()) {
            Ok(mut hangup) => hangup.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = machine::asked_to_end() => {}
        _ = hung_up => {}
    }
}
