use std::fs::File;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use otaru_client::{AuditEntry, AuditParty, AuditQuery};
use otaru_wire::Digest;
use otaru_wire::audit::Chain;
use serde_json::{Value, json};

use super::{Context, ListOptions};
use crate::output::or_dash;

/// Flaws that are named; where there are more, somebody knows enough.
const MOST_FLAWS: usize = 100;

#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// List who changed what, newest first
    List {
        /// What one person, token or device did: id, e-mail address or label
        #[arg(long, value_name = "ACTOR")]
        actor: Option<String>,
        /// One action such as release.publish, or all of a noun such as release
        #[arg(long, value_name = "ACTION")]
        action: Option<String>,
        /// What was done to one object, such as clock/1.0.5 or device:clock-01
        #[arg(long, value_name = "OBJECT")]
        object: Option<String>,
        /// Not before this, such as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Before this
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[command(flatten)]
        log: LogOptions,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Write the whole log to stdout, one entry in each line
    Export {
        /// The number of the last entry that you have; all of them if not given
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        #[command(flatten)]
        log: LogOptions,
    },
    /// Compute every hash anew, of the server's log or of files that `export` wrote
    Verify {
        /// Files of one log from its first entry on, in their order; the server's log if none
        files: Vec<PathBuf>,
        /// A hash that was the last one once, which the log must still hold
        #[arg(long, value_name = "HASH")]
        head: Option<Digest>,
        #[command(flatten)]
        log: LogOptions,
    },
}

#[derive(Args, Debug)]
pub struct LogOptions {
    /// Another log than your organisation's
    #[arg(long, value_parser = ["server"])]
    log: Option<String>,
}

impl AuditCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            AuditCommand::List { actor, action, object, since, until, log, list } => {
                let query = AuditQuery { log: log.log, actor, action, object, since, until };
                let client = context.client()?;
                let page =
                    list.fetch(async |paging| client.list_audit(&query, &paging).await).await?;
                let columns = ["sequence", "at", "actor", "action", "object", "address"];
                Ok(context.printer.page(&page, &columns, row)?)
            }
            AuditCommand::Export { after, log } => export(context, log, after).await,
            AuditCommand::Verify { files, head, log } => {
                let mut check = Check::new(head);
                match files.is_empty() {
                    true => check_server(context, log, &mut check).await?,
                    false => files.iter().try_for_each(|file| check_file(file, &mut check))?,
                }
                check.end(context)
            }
        }
    }
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let AuditEntry { sequence, at, actor, action, object, address } = entry.clone();
    vec![
        sequence.to_string(),
        at,
        party(&actor),
        action,
        party(&object),
        or_dash(address.as_deref()),
    ]
}

/// By its name, else by its id, else by its kind.
fn party(AuditParty { kind, id, name }: &AuditParty) -> String {
    match name.as_ref().or(id.as_ref()) {
        Some(which) => format!("{kind} {which}"),
        None => kind.clone(),
    }
}

async fn export(context: &Context<'_>, log: LogOptions, after: u64) -> Result<()> {
    let mut lines = context.client()?.export_audit(log.log.as_deref(), after).await?;
    let mut stdout = stdout();
    while let Some(line) = lines.next().await? {
        writeln!(stdout, "{line}")?;
    }
    Ok(stdout.flush()?)
}

/// Reads the server's log as it sends it. Its own word counts as well: how far it is, and what it
/// found wrong, such as an end that was cut off both.
async fn check_server(context: &Context<'_>, log: LogOptions, check: &mut Check) -> Result<()> {
    let (client, log) = (context.client()?, log.log.as_deref());
    let report = client.verify_audit(log).await?;
    let mut lines = client.export_audit(log, 0).await?;
    while let Some(line) = lines.next().await? {
        check.take(&line);
    }
    check.reaches(report.head.sequence);
    for flaw in &report.flaws {
        check.note_once(flaw.sequence, flaw.detail.clone());
    }
    Ok(())
}

fn check_file(path: &Path, check: &mut Check) -> Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    for line in BufReader::new(File::open(path).with_context(cannot)?).lines() {
        let line = line.with_context(cannot)?;
        if !line.trim().is_empty() {
            check.take(&line);
        }
    }
    Ok(())
}

/// A log that is checked, entry after entry.
struct Check {
    chain: Chain,
    log: Value,
    flaws: Vec<Value>,
    /// A hash that it must hold, and whether it does.
    wanted: Option<(Digest, bool)>,
}

impl Check {
    fn new(wanted: Option<Digest>) -> Check {
        let wanted = wanted.map(|hash| (hash, false));
        Check { chain: Chain::default(), log: Value::Null, flaws: Vec::new(), wanted }
    }

    fn take(&mut self, line: &str) {
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        if let Err(flaw) = self.chain.take(&entry) {
            self.note(Some(flaw.sequence()), flaw.to_string());
        }
        if self.log.is_null() {
            self.log = entry["log"].clone();
        }
        if let Some((hash, is_there)) = &mut self.wanted {
            *is_there |= self.chain.head().1 == *hash;
        }
    }

    /// What the server found, unless it was found here as well.
    fn note_once(&mut self, sequence: u64, detail: String) {
        if !self.flaws.iter().any(|flaw| flaw["detail"] == detail.as_str()) {
            self.note(Some(sequence), detail);
        }
    }

    fn note(&mut self, sequence: Option<u64>, detail: String) {
        if self.flaws.len() < MOST_FLAWS {
            self.flaws.push(json!({ "sequence": sequence, "detail": detail }));
        }
    }

    /// The log was said to have so many entries.
    fn reaches(&mut self, sequence: u64) {
        let (last, _) = self.chain.head();
        if last < sequence {
            let detail = format!("the log ends with entry {last}, and has {sequence}");
            self.note(Some(last + 1), detail);
        }
    }

    fn end(mut self, context: &Context<'_>) -> Result<()> {
        if let Some((hash, false)) = self.wanted {
            let detail = format!("no entry has the hash {hash}: the log was cut or written anew");
            self.note(None, detail);
        }
        let (sequence, hash) = self.chain.head();
        let whole = self.flaws.is_empty();
        let head = json!({ "sequence": sequence, "hash": hash });
        let report = json!({ "log": self.log, "head": head, "whole": whole, "flaws": self.flaws });
        let words = self.flaws.iter().filter_map(|flaw| flaw["detail"].as_str());
        let words = words.map(|words| ("wrong", words.to_owned()));
        let mut lines = vec![("entries", sequence.to_string()), ("head", hash.to_string())];
        lines.extend(words);
        context.printer.object(&report, &lines)?;
        if !whole {
            bail!("the log is not whole");
        }
        Ok(())
    }
}
