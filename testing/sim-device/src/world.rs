//! A whole device on virtual time: the real agent and the real slots on a chip that loses
//! power, a clock, a network and a server.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use otaru_agent::{Agent, Input, Moment, ResetCause};
use otaru_host::{Host, PatchDownload, Request};
use otaru_release::{Behaviour, Manifest};
use otaru_sim_flash::{Cut, CutKind, Random, SimFlash};
use otaru_slots::Layout;

use crate::judge::{Judge, Violation};
use crate::life::{Clock, Life, Unit};
use crate::network::{Body, Document, Sky};
use crate::server::Server;

mod beginning;
mod boots;
mod effects;
mod events;
mod summary;
mod transcript;
mod wishes;

pub use beginning::Beginnings;
pub use summary::Summary;
pub use transcript::tell;

/// No life takes longer, on its own clock: 400 days.
const LIFE_MS_MAX: u64 = 400 * 86_400_000;
/// No life has more boots.
const BOOTS_MAX: u32 = 150;
/// No life has more steps.
const STEPS_MAX: u64 = 400_000;
/// How long a device that has nothing more to do is watched.
/// Longer than a report waits that was answered out of turn.
const WATCHED_MS: u64 = 300_000;

/// What happens, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    at_ms: u64,
    order: u64,
    event: Event,
}

/// Something on its way. What belongs to a boot, a session or a transfer carries its number,
/// and is nothing once that is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The broker accepts the session.
    LinkUp { boot: u32 },
    /// The session breaks.
    LinkLost { session: u32 },
    /// Subscriptions were granted.
    Subscribed { session: u32 },
    /// A message reaches the device.
    Hear { session: u32, topic: u8, payload: Vec<u8>, is_withdrawal: bool },
    /// A message reaches the server.
    Get { payload: Vec<u8> },
    /// A report reaches the server, whatever has become of the device.
    Update { payload: Vec<u8> },
    /// The answer to a manifest's request.
    Manifest { transfer: u32 },
    /// The head of an answer.
    Head { transfer: u32 },
    /// More of the body.
    Part { transfer: u32 },
    /// Nothing came for too long.
    Stalled { transfer: u32 },
    /// The self-test is over.
    SelfTest { boot: u32 },
    /// The watchdog acts on firmware that hangs.
    Watchdog { boot: u32 },
    /// The next wish is made.
    Wish,
    /// A wish is taken back.
    Withdraw { update: String },
    /// The server gives a wish up that was taken back and that nobody spoke of since.
    Expire { update: String },
    /// Desired follows what runs.
    Settle,
}

/// What the device fetches.
#[derive(Default)]
pub(crate) struct Transfer {
    pub(crate) download: Option<PatchDownload<4096>>,
    /// The request under way.
    pub(crate) request: Option<Request>,
    /// Whether one was answered before.
    pub(crate) was_answered: bool,
    pub(crate) body: Option<Body>,
    pub(crate) wanted: Option<otaru_agent::Wanted>,
    /// The manifest that is on its way.
    pub(crate) document: Option<Document>,
    pub(crate) release: usize,
}

impl Transfer {
    /// Whether the request under way is for a patch.
    pub(crate) fn is_by_patch(&self) -> bool {
        matches!(self.request, Some(Request::Patch(_)))
    }
}

/// What there was of it when the open wish was made.
#[derive(Clone, Copy, Default)]
struct BeforeWish {
    crashes_of_trials: u32,
    spoilt_manifests: u32,
}

/// Why firmware stopped running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Power is gone.
    PowerLost,
    /// The processor restarts.
    Reset(ResetCause),
    /// The life is over.
    Over,
}

/// A device and everything around it.
pub struct World<const UNIT: usize> {
    pub(crate) life: Life,
    pub(crate) layout: Layout,
    /// The chip, while no firmware runs.
    chip: Option<SimFlash<UNIT>>,
    pub(crate) host: Option<Host<SimFlash<UNIT>>>,
    /// Where it is but within a step of its own.
    pub(crate) agent: Option<Box<Agent>>,
    pub(crate) server: Server,
    pub(crate) sky: Sky,
    pub(crate) judge: Judge,
    pub(crate) random: Random,
    pub(crate) now_ms: u64,
    pub(crate) booted_at_ms: u64,
    pub(crate) order: u64,
    pub(crate) queue: BinaryHeap<Reverse<Due>>,
    /// Answers that come before anything else.
    pub(crate) answers: std::collections::VecDeque<Input<'static>>,
    pub(crate) boot: u32,
    pub(crate) session: u32,
    pub(crate) is_linked: bool,
    /// RTC memory: whether the clock is known. Lost with power, kept over a reset.
    pub(crate) knows_time: bool,
    pub(crate) transfer: Option<Transfer>,
    pub(crate) transfers: u32,
    /// The manifest checked last.
    pub(crate) checked: Option<(Manifest, usize)>,
    pub(crate) behaviour: Behaviour,
    pub(crate) hangs: bool,
    /// Whether the open wish may still be armed.
    pub(crate) may_arm: bool,
    /// Whether no device may take the release that is wished for.
    must_be_refused: bool,
    may_be_refused: bool,
    /// Resets by the watchdog while what runs was never confirmed: each may be taken for a crash.
    crashes_of_trials: u32,
    before_wish: BeforeWish,
    next_wish: usize,
    next_outage: usize,
    /// When the life is over, once every wish has ended.
    over_at_ms: Option<u64>,
    operations_before: u64,
    steps: u64,
    pub(crate) journal_writes: u32,
    pub(crate) summary: Summary,
    /// Whether power went while it was lived: see [`Beginnings`].
    is_dark: bool,
    /// What happened, where somebody wants to read it.
    transcript: Option<String>,
}

/// Lives a life.
pub fn live(life: &Life) -> Result<Summary, Violation> {
    match life.unit {
        Unit::Word => World::new(life, life.geometry.chip::<4>(life.factory)).run(),
        Unit::Block => World::new(life, life.geometry.chip::<16>(life.factory)).run(),
    }
}

impl<const UNIT: usize> World<UNIT> {
    /// A device that has left the factory with this chip, and was never switched on.
    pub fn new(life: &Life, mut chip: SimFlash<UNIT>) -> World<UNIT> {
        let judge = Judge::new(&chip, life);
        chip.trace_operations();
        chip.cut_power(Cut { at_operation: u64::MAX, kind: CutKind::Before });
        let layout = life.geometry.layout();
        let mut world = World {
            life: life.clone(),
            layout,
            chip: None,
            host: None,
            agent: None,
            server: Server::default(),
            sky: Sky::new(life.gusts.clone(), life.part_bytes),
            judge,
            random: Random::new(life.seed),
            now_ms: 0,
            booted_at_ms: 0,
            order: 0,
            queue: BinaryHeap::new(),
            answers: Default::default(),
            boot: 0,
            session: 0,
            is_linked: false,
            knows_time: false,
            transfer: None,
            transfers: 0,
            checked: None,
            behaviour: Behaviour::Pass,
            hangs: false,
            may_arm: true,
            must_be_refused: false,
            may_be_refused: false,
            crashes_of_trials: 0,
            before_wish: BeforeWish::default(),
            next_wish: 0,
            next_outage: 0,
            over_at_ms: None,
            steps: 0,
            operations_before: 0,
            journal_writes: 0,
            summary: Summary::default(),
            is_dark: false,
            transcript: None,
        };
        world.arm_outage(&mut chip);
        world.later(5_000, Event::Wish);
        world.chip = Some(chip);
        world
    }

    /// Lives to the end of the plan.
    pub fn run(mut self) -> Result<Summary, Violation> {
        let lived = self.run_life();
        self.end(lived)
    }

    fn end(mut self, lived: Result<(), Violation>) -> Result<Summary, Violation> {
        lived.map_err(|violation| self.told(violation))?;
        let chip = self.take_chip();
        self.summary.operations = self.operations_before + chip.operations();
        self.summary.boots = self.boot;
        self.summary.gusts = self.sky.count;
        (self.summary.messages, self.summary.requests) = self.sky.met();
        self.summary.ends = std::mem::take(&mut self.server.ends);
        Ok(self.summary)
    }

    fn run_life(&mut self) -> Result<(), Violation> {
        self.run_boots(ResetCause::PowerOn)?;
        self.run_out()
    }

    /// What is left of a life whose wishes have ended.
    fn run_out(&mut self) -> Result<(), Violation> {
        let cycles = if self.summary.limits == 0 { self.life.power_cycles } else { 0 };
        for _ in 0..cycles {
            // Everything has ended: what runs now stays, whatever power does.
            self.cycle_power()?;
        }
        Ok(())
    }

    fn told(&self, violation: Violation) -> Violation {
        let what = format!(
            "{} (boot {}, {} ms, {} wishes made, ends {:?})",
            violation.what, self.boot, self.now_ms, self.next_wish, self.server.ends
        );
        Violation { what, ..violation }
    }

    /// Lets things happen until the boot ends.
    fn run_firmware(&mut self) -> Result<Stop, Violation> {
        loop {
            if let Some(stop) = self.next()? {
                return Ok(stop);
            }
        }
    }

    /// The next thing that happens.
    fn next(&mut self) -> Result<Option<Stop>, Violation> {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.now_ms > LIFE_MS_MAX {
            let phase = self.agent.as_ref().map(|agent| agent.phase());
            let what = format!("silent for ever: {phase:?}, {} steps", self.steps);
            return Err(Violation { rule: "I11", what });
        }
        if !self.hangs
            && let Some(answer) = self.answers.pop_front()
        {
            return self.step(answer);
        }
        let wake_at = self.agent.as_ref().and_then(|agent| agent.wake_at_ms());
        let wake_at =
            wake_at.filter(|_| !self.hangs).map(|at| at.saturating_add(self.booted_at_ms));
        let due_at = self.queue.peek().map(|Reverse(due)| due.at_ms);
        let over_at = self.over_at_ms;
        let first = [wake_at, due_at, over_at].into_iter().flatten().min();
        let Some(first) = first else {
            return Err(Violation { rule: "I11", what: "nothing will ever happen again".into() });
        };
        if first > self.now_ms {
            self.note_rest();
        }
        self.now_ms = self.now_ms.max(first);
        if over_at == Some(first) {
            return self.over().map(|()| Some(Stop::Over));
        }
        if due_at == Some(first)
            && let Some(Reverse(due)) = self.queue.pop()
        {
            let is_devices = !matches!(
                due.event,
                Event::Wish
                    | Event::Withdraw { .. }
                    | Event::Expire { .. }
                    | Event::Settle
                    | Event::Update { .. }
                    | Event::Get { .. }
                    | Event::Watchdog { .. }
            );
            return if self.hangs && is_devices { Ok(None) } else { self.happen(due.event) };
        }
        self.step(Input::TimePassed)
    }

    /// The server knows what runs, and has known the end of everything.
    fn over(&mut self) -> Result<(), Violation> {
        let reported = self.server.reported("sha256").and_then(|sha| sha.as_str());
        let running = self.judge.running().map(|release| crate::judge::hex(&release.sha256));
        if reported != running.as_deref() {
            let what = format!("the server believes in {reported:?}, and {running:?} runs");
            return Err(Violation { rule: "I3", what });
        }
        Ok(())
    }

    /// One step of the agent.
    pub(crate) fn step(&mut self, input: Input<'_>) -> Result<Option<Stop>, Violation> {
        let now = self.moment();
        let Some(mut agent) = self.agent.take() else { return Ok(None) };
        let mut stop = Ok(None);
        agent.step(now, input, &mut |effect| self.carry_out(effect, &mut stop));
        self.agent = Some(agent);
        stop
    }

    fn moment(&mut self) -> Moment {
        Moment {
            uptime_ms: self.now_ms - self.booted_at_ms,
            wall_ms: self.wall_ms(),
            random: self.random.next_u64(),
        }
    }

    /// The device's own clock, where it knows the time.
    pub(crate) fn wall_ms(&self) -> Option<i64> {
        let off_ms = match self.life.clock {
            Clock::Known => 0,
            Clock::Unknown => return None,
            Clock::Off(ms) => ms,
        };
        self.knows_time.then(|| 1_795_430_400_000 + self.now_ms as i64 + off_ms)
    }

    pub(crate) fn later(&mut self, in_ms: u64, event: Event) {
        self.order += 1;
        let due = Due { at_ms: self.now_ms + in_ms, order: self.order, event };
        self.queue.push(Reverse(due));
    }
}

fn config() -> otaru_agent::AgentConfig {
    use otaru_wire::{Namespace, ThingName};
    otaru_agent::AgentConfig::new(
        ThingName::new("clock-01").expect("a valid name"),
        Namespace::new("mia").expect("a valid name"),
    )
}
