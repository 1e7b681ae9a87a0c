//! What many devices do, in a line every few seconds, and one line each at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use otaru_linux::{Faults, Seen, SimView};
use otaru_wire::ThingName;
use serde::Serialize;

const EVERY: Duration = Duration::from_secs(5);
/// What stands where a device never said what it runs.
const UNKNOWN: &str = "?";

/// One device of the fleet, to be looked at.
pub(super) struct Member {
    pub(super) thing: ThingName,
    pub(super) view: SimView,
    pub(super) faults: Faults,
}

/// All devices, and how they are told of.
pub(super) struct Fleet {
    members: Vec<Member>,
    json: bool,
    begin: Instant,
}

/// All devices at one moment.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Summary {
    seconds: u64,
    devices: usize,
    on: usize,
    online: usize,
    /// How many could not go on.
    failed: usize,
    /// How many run each version.
    versions: BTreeMap<String, usize>,
    /// How many are in each phase of an update.
    phases: BTreeMap<&'static str, usize>,
    power_cuts: u64,
    link_cuts: u64,
    /// Of images and patches, by all of them.
    received_bytes: u64,
}

/// One device at the end.
#[derive(Debug, Serialize)]
struct Row<'a> {
    thing: &'a ThingName,
    online: bool,
    version: Option<String>,
    phase: Option<&'static str>,
    last: Option<&'static str>,
    boots: u32,
    power_cuts: u32,
    link_cuts: u32,
    received_bytes: u64,
    /// Why it could not go on.
    fault: Option<String>,
}

impl Fleet {
    pub(super) fn new(members: Vec<Member>, json: bool) -> Fleet {
        Fleet { members, json, begin: Instant::now() }
    }

    /// Tells how it stands, for ever; ends when nobody reads it.
    pub(super) async fn tell(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            let summary = self.summary();
            let line = if self.json { json(&summary) } else { summary.to_text() };
            if print(&line).is_err() {
                return;
            }
        }
    }

    /// Tells of each device, and of all for the last time.
    pub(super) fn tell_end(&self) {
        let mut lines = String::new();
        for row in self.members.iter().map(Member::row) {
            let _ = match self.json {
                true => writeln!(lines, "{}", json(&row)),
                false => writeln!(lines, "{}", row.to_text()),
            };
        }
        let summary = self.summary();
        lines += &if self.json { json(&summary) } else { summary.to_text() };
        let heading = if self.json { String::new() } else { format!("{}\n", Row::heading()) };
        let _nobody_reads = print(&(heading + &lines));
    }

    /// Those that could not go on, and why.
    pub(super) fn failed(&self) -> Vec<String> {
        let of = |member: &Member| Some(format!("{}: {}", member.thing, member.view.seen().fault?));
        self.members.iter().filter_map(of).collect()
    }

    fn summary(&self) -> Summary {
        let seen = self.members.iter().map(|member| (member.view.seen(), member.faults.cuts()));
        Summary { seconds: self.begin.elapsed().as_secs(), ..Summary::of(seen) }
    }
}

impl Summary {
    fn of(devices: impl Iterator<Item = (Seen, u32)>) -> Summary {
        let mut summary = Summary::default();
        for (seen, link_cuts) in devices {
            summary.devices += 1;
            summary.on += usize::from(seen.is_on);
            summary.online += usize::from(seen.is_online);
            summary.failed += usize::from(seen.fault.is_some());
            summary.power_cuts += u64::from(seen.power_cuts);
            summary.link_cuts += u64::from(link_cuts);
            summary.received_bytes += seen.received_bytes;
            let version = seen.version.unwrap_or_else(|| UNKNOWN.to_owned());
            *summary.versions.entry(version).or_default() += 1;
            if let Some(phase) = seen.phase {
                *summary.phases.entry(phase.as_str()).or_default() += 1;
            }
        }
        summary
    }

    fn to_text(&self) -> String {
        let listed = |counts: Vec<String>| match counts.is_empty() {
            true => "none".to_owned(),
            false => counts.join(", "),
        };
        let versions = self.versions.iter().map(|(version, count)| format!("{count} on {version}"));
        let phases = self.phases.iter().map(|(phase, count)| format!("{count} {phase}"));
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} could not go on"),
        };
        format!(
            "{:6} s  {} of {} online, {} without power{failed}; {}; updates: {}; cuts: {} of power, {} of links; \
             {:.1} MB received",
            self.seconds,
            self.online,
            self.devices,
            self.devices - self.on - self.failed,
            listed(versions.collect()),
            listed(phases.collect()),
            self.power_cuts,
            self.link_cuts,
            self.received_bytes as f64 / 1e6,
        )
    }
}

impl Member {
    fn row(&self) -> Row<'_> {
        let seen = self.view.seen();
        Row {
            thing: &self.thing,
            online: seen.is_online,
            version: seen.version,
            phase: seen.phase.map(|phase| phase.as_str()),
            last: seen.last.map(|outcome| outcome.as_str()),
            boots: seen.boots,
            power_cuts: seen.power_cuts,
            link_cuts: self.faults.cuts(),
            received_bytes: seen.received_bytes,
            fault: seen.fault,
        }
    }
}

impl Row<'_> {
    fn heading() -> String {
        format!(
            "{:<12} {:<7} {:<12} {:<12} {:<12} {:>5} {:>10} {:>9} {:>10}",
            "THING",
            "ONLINE",
            "VERSION",
            "PHASE",
            "LAST",
            "BOOTS",
            "POWER CUTS",
            "LINK CUTS",
            "RECEIVED"
        )
    }

    fn to_text(&self) -> String {
        let fault = self.fault.as_ref().map_or(String::new(), |why| format!("  {why}"));
        format!(
            "{:<12} {:<7} {:<12} {:<12} {:<12} {:>5} {:>10} {:>9} {:>10}{fault}",
            self.thing.as_str(),
            if self.online { "yes" } else { "no" },
            self.version.as_deref().unwrap_or(UNKNOWN),
            self.phase.unwrap_or("-"),
            self.last.unwrap_or("-"),
            self.boots,
            self.power_cuts,
            self.link_cuts,
            self.received_bytes
        )
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names and numbers are JSON")
}

fn print(lines: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{lines}").and_then(|()| stdout.flush())
}

#[cfg(test)]
mod tests {
    use otaru_wire::Phase;

    use super::*;

    #[test]
    fn a_fleet_is_one_line() {
        let device = |version: Option<&str>, phase, is_online| Seen {
            is_on: version.is_some(),
            is_online,
            phase,
            version: version.map(str::to_owned),
            power_cuts: 1,
            received_bytes: 700_000,
            ..Seen::default()
        };
        let devices = [
            device(Some("1.0.4"), Some(Phase::Downloading), true),
            device(Some("1.0.5"), None, true),
            device(None, None, false),
            Seen { fault: Some("flash failed".to_owned()), ..device(None, None, false) },
        ];
        let summary = Summary::of(devices.into_iter().map(|seen| (seen, 2)));
        assert_eq!(
            summary.to_text(),
            "     0 s  2 of 4 online, 1 without power, 1 could not go on; \
             1 on 1.0.4, 1 on 1.0.5, 2 on ?; updates: 1 downloading; \
             cuts: 4 of power, 8 of links; 2.8 MB received"
        );
        assert_eq!(
            json(&summary),
            r#"{"seconds":0,"devices":4,"on":2,"online":2,"failed":1,"versions":{"1.0.4":1,"1.0.5":1,"?":2},"phases":{"downloading":1},"power_cuts":4,"link_cuts":8,"received_bytes":2800000}"#
        );
    }
}
