//! Power that goes away for real: QEMU is killed at moments that a seed chooses, its flash file is
//! kept, and it is started again. After every cut an image has to start that is whole, and every
//! update has to end as confirmed, or back at the old firmware, with a reason.
//!
//! A life has two updates: the first by image, the second by patch, or one that crashes at once.
//! Whether an image is whole is judged by the bytes of the flash file, not by the bootloader.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use otaru_board_virt::head::Flaw;
use otaru_board_virt::partitions;
use otaru_slots::Slot;
use serde_json::Value;

use crate::firmware;
use crate::qemu::{Board, Qemu};
use crate::seed::Seed;
use crate::site::{FACTORY_VERSION, Site};

mod plan;

pub use plan::{Phase, Plan};

const FIRST: &str = "1.0.5";
const BY_PATCH: &str = "1.0.6";
const CRASHES: &str = "1.0.7";
/// The device that is not cut.
const PIONEER: &str = "pioneer";
/// Longest wait for anything: more than a device waits for another try.
const LIMIT: Duration = Duration::from_secs(90);
/// Behind so long a silence the server is asked how it ended.
const QUIET: Duration = Duration::from_millis(700);

/// A server with three releases, for as many lives as one likes.
#[derive(Debug)]
pub struct Powercut {
    site: Site,
    images: BTreeMap<&'static str, Vec<u8>>,
}

/// One cut, and what came of it.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Of the life.
    pub seed: u64,
    /// When it was to be.
    pub plan: Plan,
    /// What the device was at by then.
    pub at: Phase,
    /// What started behind it.
    pub version: String,
}

/// What comes of following an update.
enum Followed {
    Ended(End),
    /// Power is to go, and this is what the device is at.
    Cut(Phase),
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// To which version.
    pub version: &'static str,
    /// As the server has it.
    pub outcome: String,
    /// Its name, where it was not confirmed.
    pub reason: Option<String>,
}

impl Powercut {
    /// Starts the server, and publishes. Patches are made from what devices run: one does.
    pub fn start() -> Result<Powercut> {
        let mut images = BTreeMap::new();
        for (version, flaw) in [
            (FACTORY_VERSION, None),
            (FIRST, None),
            (BY_PATCH, None),
            (CRASHES, Some(Flaw::Crashes)),
        ] {
            images.insert(version, firmware::flawed_application(version, flaw)?);
        }
        let site = Site::start()?;
        site.server.publish(FIRST, &images[FIRST])?;
        let board = site.board(PIONEER)?;
        let mut qemu = board.start()?;
        qemu.until("BROKER_CONNECTED")?;
        site.server.until_it_runs(PIONEER, FACTORY_VERSION)?;
        site.server.run(&["update", "start", PIONEER, FIRST])?;
        site.server.until_it_runs(PIONEER, FIRST)?;
        for version in [BY_PATCH, CRASHES] {
            site.server.publish(version, &images[version])?;
        }
        site.server.until_patch(BY_PATCH, FIRST)?;
        Ok(Powercut { site, images })
    }

    /// Lives a life with at most so many cuts, telling each. Errors: what may never happen.
    pub fn live(&self, seed: u64, cuts: usize, tell: &mut dyn FnMut(&Cut)) -> Result<Vec<End>> {
        let mut rng = Seed::new(seed);
        let thing = format!("clock-{seed}");
        let board = self.site.board(&thing)?;
        let updates = [FIRST, if rng.below(3) == 0 { CRASHES } else { BY_PATCH }];
        let qemu = board.start()?;
        let mut life =
            Life { all: self, seed, thing, board, qemu, runs: FACTORY_VERSION, may_run: None };
        life.qemu.until("BROKER_CONNECTED")?;
        self.site.server.until_it_runs(&life.thing, FACTORY_VERSION)?;
        let mut ends = Vec::new();
        for (index, version) in updates.into_iter().enumerate() {
            let cuts = if index == 0 { cuts / 2 } else { cuts - cuts / 2 };
            ends.push(life.update(version, cuts, &mut rng, tell)?);
        }
        Ok(ends)
    }
}

/// A device from the factory on.
struct Life<'a> {
    all: &'a Powercut,
    seed: u64,
    thing: String,
    board: Board,
    qemu: Qemu,
    /// What was confirmed last.
    runs: &'static str,
    /// What may start, too.
    may_run: Option<&'static str>,
}

impl Life<'_> {
    fn update(
        &mut self,
        version: &'static str,
        cuts: usize,
        rng: &mut Seed,
        tell: &mut dyn FnMut(&Cut),
    ) -> Result<End> {
        self.may_run = Some(version);
        self.all.site.server.run(&["update", "start", &self.thing, version])?;
        let (mut left, mut in_trial) = (cuts, 0);
        let end = loop {
            let plan = (left > 0).then(|| Plan::some(rng));
            match self.follow(version, plan)? {
                Followed::Ended(end) => break end,
                Followed::Cut(at) => {
                    left -= 1;
                    let plan = plan.context("nothing cuts without a plan")?;
                    in_trial += usize::from(at == Phase::Boot || at >= Phase::Arm);
                    let version = self.cut()?;
                    tell(&Cut { seed: self.seed, plan, at, version });
                }
            }
        };
        self.judge(&end, in_trial)?;
        Ok(end)
    }

    /// Follows an update until power is to go, or to its end.
    fn follow(&mut self, version: &'static str, plan: Option<Plan>) -> Result<Followed> {
        let begin = Instant::now();
        let mut at = Phase::Boot;
        let mut cut_at = plan.filter(|plan| plan.phase == Phase::Boot).map(|p| begin + p.after);
        let confirmed = format!("update to {version}: confirmed");
        let mut is_trial = false;
        loop {
            ensure!(begin.elapsed() < LIMIT, "nothing more happens:\n{}", self.told());
            let wait = cut_at.map_or(QUIET, |at| at.saturating_duration_since(Instant::now()));
            let Some(line) = self.qemu.next(wait)? else {
                match cut_at {
                    Some(_) => return Ok(Followed::Cut(at)),
                    None => match self.end(version)? {
                        Some(end) => return Ok(Followed::Ended(end)),
                        None => continue,
                    },
                }
            };
            self.look_at_start(&line)?;
            let message = line["message"].as_str().unwrap_or("");
            if message == confirmed {
                (self.runs, self.may_run) = (version, None);
            }
            is_trial |= message.starts_with("trial boot");
            let phase = Phase::beginning_with(&line, is_trial, version);
            at = phase.unwrap_or(at);
            if let (Some(plan), None) = (plan, cut_at)
                && phase == Some(plan.phase)
            {
                cut_at = Some(Instant::now() + plan.after);
            }
        }
    }

    /// Power off and on; what started.
    fn cut(&mut self) -> Result<String> {
        let qemu = self.board.start_after(&mut self.qemu)?;
        self.qemu = qemu;
        let begin = Instant::now();
        loop {
            let left = LIMIT.saturating_sub(begin.elapsed());
            let line = self.qemu.next(left)?;
            let line = line.with_context(|| format!("nothing started:\n{}", self.told()))?;
            self.look_at_start(&line)?;
            if line["code"] == "STARTED" {
                return Ok(line["version"].as_str().unwrap_or("").to_owned());
            }
        }
    }

    /// What starts has to be whole, and one of two.
    fn look_at_start(&self, line: &Value) -> Result<()> {
        match line["code"].as_str() {
            Some("NOTHING_TO_START" | "SLOT_REFUSED" | "IO_FAILED") => {
                bail!("{line}:\n{}", self.told())
            }
            Some("PANICKED" | "EXCEPTION") if self.may_run != Some(CRASHES) => {
                bail!("{line}:\n{}", self.told())
            }
            Some("STARTED") => {}
            _ => return Ok(()),
        }
        let version = line["version"].as_str().unwrap_or("");
        let expected = Some(version) == self.may_run || version == self.runs;
        ensure!(expected, "{version} started, not {}:\n{}", self.runs, self.told());
        let slot = if line["slot"] == "ota_1" { Slot::Ota1 } else { Slot::Ota0 };
        let (flash, image) = (self.board.read_flash()?, &self.all.images[version]);
        let at = partitions::layout()?.slot(slot).offset as usize;
        ensure!(&flash[at..at + image.len()] == image.as_slice(), "{version} is not whole");
        Ok(())
    }

    /// How the server says that it ended.
    fn end(&self, version: &'static str) -> Result<Option<End>> {
        let update = self.all.site.server.run(&["update", "show", &self.thing])?;
        let Some(outcome) = update["outcome"].as_str() else { return Ok(None) };
        let reason = update["reason"]["name"].as_str().map(str::to_owned);
        Ok(Some(End { version, outcome: outcome.to_owned(), reason }))
    }

    fn judge(&mut self, end: &End, in_trial: usize) -> Result<()> {
        let word = (end.outcome.as_str(), end.reason.as_deref());
        let is_bad = end.version == CRASHES;
        let is_right = match word {
            ("confirmed", None) => {
                // Whether or not it had said so itself.
                self.runs = end.version;
                !is_bad
            }
            // Three tries that power ended; or the last of them, behind two crashes.
            ("rolled_back", Some("power_lost_in_trial")) => in_trial >= if is_bad { 1 } else { 3 },
            ("rolled_back", Some("firmware_crashed")) => is_bad,
            _ => false,
        };
        ensure!(is_right, "{end:?} behind {in_trial} cuts of trials:\n{}", self.told());
        self.may_run = None;
        self.all.site.server.until_it_runs_whatever(&self.thing, self.runs)
    }

    fn told(&self) -> String {
        self.qemu.seen().join("\n")
    }
}
