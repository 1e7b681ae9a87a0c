//! Following one update to its end.

use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;
use otaru_client::{Client, ClientError, Events, Object, Update};

use super::{Context, update};
use crate::exit::Exit;
use crate::output::Format;
use crate::progress;

/// How often the update is looked at when no event says anything.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Shows an update's phases until it has an outcome.
///
/// Events only say when to look: what is shown is always the record itself,
/// so nothing depends on which of them arrive.
pub(super) async fn watch(
    context: &Context<'_>,
    client: &Client,
    mut current: Object<Update>,
) -> Result<Exit> {
    let mut events = client.listen(None).await?;
    let mut view = View::new(context);
    let id = current.id.clone();
    loop {
        view.show(&current)?;
        if let Some(outcome) = &current.outcome {
            view.bar.finish_and_clear();
            let confirmed = outcome == "confirmed";
            if context.printer.format != Format::Ndjson {
                update::print(context, &current)?;
            }
            return Ok(if confirmed { Exit::Done } else { Exit::Failed });
        }
        wait_for_news(&mut events, &current.thing).await?;
        match client.find_update(&id).await {
            Ok(newer) => current = newer,
            // A server that restarts or is asked too much is waited for; one that refuses is not.
            Err(error) if error.may_pass() => {
                tokio::time::sleep(error.retry_after().unwrap_or_default().max(LOOK_EVERY)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns at the next event about the device, or when it is time to look anyway.
async fn wait_for_news(events: &mut Events, thing: &str) -> Result<(), ClientError> {
    let news = async {
        loop {
            let event = events.next().await?;
            if event.body["thing"] == thing {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(LOOK_EVERY, news).await.unwrap_or(Ok(()))
}

/// What has been shown so far: a bar on a terminal, a line per phase elsewhere.
struct View<'a> {
    context: &'a Context<'a>,
    bar: ProgressBar,
    phase: String,
    json: serde_json::Value,
}

impl<'a> View<'a> {
    fn new(context: &'a Context<'a>) -> View<'a> {
        let (phase, json) = (String::new(), serde_json::Value::Null);
        View { context, bar: progress::bytes("", 0), phase, json }
    }

    fn show(&mut self, update: &Object<Update>) -> Result<()> {
        self.bar.set_length(update.total);
        self.bar.set_position(update.done);
        self.bar.set_message(words(update));
        let is_new_phase = self.phase != update.phase;
        self.phase.clone_from(&update.phase);
        match self.context.printer.format {
            Format::Ndjson if self.json != *update.json() => {
                self.json = update.json().clone();
                self.context.printer.document(update.json())?;
            }
            Format::Table if is_new_phase && self.bar.is_hidden() => {
                self.context.printer.line(&format!("{}  {}", update.phase_at, words(update)))?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The phase as its owner reads it.
fn words(update: &Update) -> String {
    match update.phase.as_str() {
        "offered" => format!("{} can be installed", update.version),
        "deferred" => format!("put off until {}", update.until.as_deref().unwrap_or("later")),
        "requested" => "waiting for the device".to_owned(),
        "waiting" => format!("tries again at {}", update.until.as_deref().unwrap_or("some time")),
        "notified" => "starting".to_owned(),
        "verifying" => "checking".to_owned(),
        "confirmed" => "done".to_owned(),
        // Downloading, restarting, testing, and what a newer server may add.
        phase => phase.to_owned(),
    }
}
