use std::time::Duration;

use anyhow::Result;
use clap::Args;
use otaru_client::{LogPart, LogRecord, Object};
use otaru_wire::ThingName;

use crate::commands::Context;
use crate::output::{Format, Printer};

#[derive(Args, Debug)]
pub struct Logs {
    /// The device
    thing: ThingName,
    /// Go on with new records as they arrive
    #[arg(short, long)]
    follow: bool,
    /// Begin with this many of the newest records
    #[arg(long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(0..=200))]
    tail: u32,
}

/// How often new records are asked for while following.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The most records the server gives in one answer.
const MOST: u32 = 200;

impl Logs {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        let newest = LogPart::Newest(self.tail);
        let mut page = client.list_logs(&self.thing, newest, Some(MOST)).await?;
        if !self.follow {
            match context.printer.format {
                Format::Table => page.items.iter().try_for_each(|record| print(context, record))?,
                _ => context.printer.page(&page, &[], |_| Vec::new())?,
            }
            return Ok(());
        }
        let mut seen = 0;
        loop {
            for record in &page.items {
                print(context, record)?;
                seen = record.id;
            }
            if page.items.len() < MOST as usize {
                tokio::time::sleep(ASK_EVERY).await;
            }
            // A server that restarts is waited for; one that refuses is not.
            let after = LogPart::After(seen);
            match client.list_logs(&self.thing, after, Some(MOST)).await {
                Ok(next) => page = next,
                Err(error) if error.status().is_some_and(|status| status < 500) => {
                    return Err(error.into());
                }
                Err(_) => page.items.clear(),
            }
        }
    }
}

/// One record in one line, in JSON too: a log has no end to close a list at.
fn print(context: &Context<'_>, record: &Object<LogRecord>) -> Result<()> {
    match context.printer.format {
        Format::Table => context.printer.line(&line(record))?,
        _ => Printer { format: Format::Ndjson }.document(record.json())?,
    }
    Ok(())
}

fn line(record: &LogRecord) -> String {
    let text = |name: &str| record.record[name].as_str().unwrap_or_default();
    let code = match text("code") {
        "" => String::new(),
        code => format!("{code}: "),
    };
    format!("{}  {:5}  {code}{}", record.received_at, text("level"), text("message"))
}
