use std::time::Duration;

use anyhow::Result;
use clap::Args;
use otaru_client::{LogPart, LogRecord, Object, Page};
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
        let newest = LogPart::Newest(self.asked());
        let mut page = client.list_logs(&self.thing, newest, Some(MOST)).await?;
        let mut seen = self.begin(&mut page);
        if !self.follow {
            match context.printer.format {
                Format::Table => page.items.iter().try_for_each(|record| print(context, record))?,
                _ => context.printer.page(&page, &[], |_| Vec::new())?,
            }
            return Ok(());
        }
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

impl Logs {
    /// How many records to begin with. To go on after the newest one it must be known, even
    /// when none is to be shown.
    fn asked(&self) -> u32 {
        if self.follow { self.tail.max(1) } else { self.tail }
    }

    /// Leaves what is to be shown first; returns the record to go on after.
    fn begin(&self, newest: &mut Page<LogRecord>) -> i64 {
        let seen = newest.items.last().map_or(0, |record| record.id);
        if self.tail == 0 {
            newest.items.clear();
        }
        seen
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_of_none_goes_on_after_the_newest_record() {
        let record = r#"{"id":7,"received_at":"2026-11-23T12:00:00Z","record":{}}"#;
        let begin = |tail, items: &str| {
            let logs = Logs { thing: "clock-01".parse().unwrap(), follow: true, tail };
            assert_eq!(logs.asked(), tail.max(1));
            let page = format!(r#"{{"items":[{items}],"next_cursor":null}}"#);
            let mut page: Page<LogRecord> = serde_json::from_str(&page).unwrap();
            (logs.begin(&mut page), page.items.len())
        };
        assert_eq!(begin(0, record), (7, 0));
        assert_eq!(begin(50, record), (7, 1));
        assert_eq!(begin(0, ""), (0, 0));
    }
}
