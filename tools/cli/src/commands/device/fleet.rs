//! Registers many devices at once, for programs that run them.

use std::path::Path;

use anyhow::{Context as _, Result};
use futures::{StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use otaru_client::Client;
use otaru_wire::{ProductName, ThingName};

use super::folder::Folder;
use crate::Options;
use crate::connection;

/// Devices the server is asked for at a time.
const AT_ONCE: usize = 8;

/// Registers the devices that have no folder below `parent` yet, and writes their folders. A
/// folder is whole or not there; where this was ended in between, it is gone on with.
pub async fn add_devices(
    options: &Options,
    product: &ProductName,
    things: &[ThingName],
    parent: &Path,
) -> Result<()> {
    let missing: Vec<&ThingName> =
        things.iter().filter(|thing| !parent.join(thing.as_str()).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let client = connection::connect(options)?;
    let bar = ProgressBar::new(missing.len() as u64).with_message("devices");
    let adding = missing.into_iter().map(|thing| {
        let (client, bar) = (&client, &bar);
        async move {
            let added = add(client, product, thing, parent).await;
            bar.inc(1);
            added.with_context(|| format!("could not register {thing}"))
        }
    });
    futures::stream::iter(adding).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    bar.finish_and_clear();
    Ok(())
}

async fn add(
    client: &Client,
    product: &ProductName,
    thing: &ThingName,
    parent: &Path,
) -> Result<()> {
    let unfinished = parent.join(format!("{thing}.new"));
    let was_asked = unfinished.exists();
    if was_asked {
        std::fs::remove_dir_all(&unfinished)?;
    }
    let folder = Folder::prepare(unfinished.clone())?;
    let answer = match client.add_device(thing, product).await {
        // Registered when it was asked for the last time, and the answer was lost.
        Err(error) if was_asked && error.status() == Some(409) => {
            client.renew_certificate(thing).await
        }
        answer => answer,
    };
    if answer.as_ref().is_err_and(|error| error.status().is_some()) {
        // Refused: a device of that name, now or later, is not ours.
        std::fs::remove_dir_all(&unfinished)?;
    }
    folder.write(thing, &answer?)?;
    Ok(std::fs::rename(unfinished, parent.join(thing.as_str()))?)
}
