//! One boot of a device: what was heard, what is under way, and what comes of it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::pin::pin;

use embassy_futures::select::{Either, select, select3};
use embassy_time::{Duration, Instant, Timer};
use otaru_agent::{
    Agent, AgentConfig, BootFacts, Fault, Input, LogLine, Moment, ResetCause, Stored, Target,
    Wanted,
};
use otaru_host::{Host, HostError};
use otaru_slots::{Layout, Slot};
use otaru_wire::payload::LogLevel;
use otaru_wire::{Reason, ShadowId};

use crate::board::Board;
use crate::check::Checked;
use crate::link::Company;
use crate::session::{Lines, News};
use crate::{Net, session};

mod effects;
#[cfg(test)]
mod tests;

/// How long what was said last has to reach the broker before a restart.
const FAREWELL: Duration = Duration::from_millis(500);
/// Longest time without a sign of life, whatever is waited for.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// Bytes are told of at most once in this time: radio and TLS have other things to do.
const PROGRESS_INTERVAL_MS: u64 = 10_000;

/// Flash, or the records in it: a restart is all that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure;

impl From<HostError> for Failure {
    fn from(_: HostError) -> Failure {
        Failure
    }
}

impl From<otaru_slots::StorageError> for Failure {
    fn from(_: otaru_slots::StorageError) -> Failure {
        Failure
    }
}

/// What ends a job.
pub(crate) enum Broken {
    /// The agent hears of it.
    Fault(Fault),
    /// The device restarts.
    Failure,
    /// Nobody wants it any more.
    Stopped,
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Broken {
        Broken::Fault(fault)
    }
}

impl From<Reason> for Broken {
    fn from(reason: Reason) -> Broken {
        Broken::Fault(reason.into())
    }
}

impl From<Failure> for Broken {
    fn from(_: Failure) -> Broken {
        Broken::Failure
    }
}

impl From<HostError> for Broken {
    fn from(_: HostError) -> Broken {
        Broken::Failure
    }
}

/// The one long thing under way.
enum Job {
    Check(Wanted),
    Download { target: Target, from_start: bool },
    SelfTest,
}

/// A device between power-on and restart.
pub struct Device<B: Board> {
    pub(crate) board: B,
    pub(crate) net: Net,
    pub(crate) host: Host<B::Flash>,
    /// The manifest checked last, and its documents.
    pub(crate) checked: Option<Checked>,
    lines: &'static Lines,
    /// Where it is but within a step of its own.
    agent: Option<Box<Agent>>,
    /// Answers to effects, which come before what is heard.
    answers: VecDeque<Input<'static>>,
    job: Option<Job>,
    /// Root and timestamp are to be looked at, when nothing else is under way.
    wants_watch: bool,
    /// What is under way has to end.
    pub(crate) is_stopped: bool,
    pub(crate) is_restarting: bool,
}

impl<B: Board> Device<B> {
    /// Looks at flash and starts the agent. `slot` is the one that runs.
    pub fn start(
        board: B,
        flash: B::Flash,
        layout: Layout,
        slot: Slot,
        reset: ResetCause,
        net: Net,
        lines: &'static Lines,
    ) -> Result<Device<B>, Failure> {
        let mut host = Host::start(flash, layout, slot, Some(net.identity.chip))?;
        host.set_root_key(Some(net.identity.root_key));
        let facts = host.facts(reset)?;
        let (journal, settings) = host.stored()?;
        let recreated = host.storage().0.recreated();
        let stored = Stored { journal: &journal, settings: &settings, recreated };
        let config = AgentConfig {
            progress_interval_ms: PROGRESS_INTERVAL_MS,
            asks_product: true,
            ..AgentConfig::new(net.identity.thing.clone(), net.identity.namespace.clone())
        };
        let config = board.configure(config);
        let (answers, job) = (VecDeque::new(), None);
        let mut device = Device {
            board,
            net,
            host,
            checked: None,
            lines,
            agent: None,
            answers,
            job,
            wants_watch: false,
            is_stopped: false,
            is_restarting: false,
        };
        device.wake_agent(config, &facts, stored)?;
        if device.host.trusted()?.1.is_lost() {
            device.complain(Reason::TrustLost);
        }
        if let Some(agent) = &device.agent
            && let Err(reason) = device.host.begin_trust(&facts, agent.journal())?
        {
            device.complain(reason);
        }
        let (storage, flash) = device.host.storage();
        storage.acknowledge_recreated(flash)?;
        Ok(device)
    }

    /// Starts the agent.
    #[inline(never)]
    fn wake_agent(
        &mut self,
        config: AgentConfig,
        facts: &BootFacts,
        stored: Stored<'_>,
    ) -> Result<(), Failure> {
        let (mut carried, now) = (Ok(()), self.moment());
        let agent = Box::new(Agent::start(config, facts, stored, now, &mut |effect| {
            self.carry_out(effect, &mut carried);
        }));
        self.agent = Some(agent);
        carried
    }

    /// Lives until the restart.
    pub async fn run(mut self) -> ! {
        while !self.is_restarting {
            if self.live().await.is_err() {
                self.complain(Reason::FlashFailed);
                break;
            }
        }
        // What was said last should be heard.
        let until = Instant::now() + FAREWELL;
        while !self.lines.is_all_said() && Instant::now() < until {
            Timer::after_millis(10).await;
        }
        Timer::after_millis(50).await;
        self.board.restart()
    }

    /// One piece of it.
    async fn live(&mut self) -> Result<(), Failure> {
        self.catch_up()?;
        if let Some(job) = self.job.take() {
            return self.work(job).await;
        }
        if core::mem::take(&mut self.wants_watch) {
            return self.watch_trust().await;
        }
        let is_quiet = self.answers.is_empty() && !self.is_restarting;
        if is_quiet {
            self.something_new().await;
        }
        Ok(())
    }

    /// Waits for news, for the time that the agent wants to be woken at, or for a sign of life
    /// to be due.
    async fn something_new(&self) {
        let due = Instant::now() + ALIVE_EVERY;
        let wake = self.wake_at_ms().map_or(due, |at| Instant::from_millis(at).min(due));
        let Lines { news, buttons, .. } = self.lines;
        select3(news.ready_to_receive(), buttons.pressed(), Timer::at(wake)).await;
    }

    /// Steps the agent with whatever there is: it is never kept waiting by a job for longer than
    /// a part of a body takes.
    pub(crate) fn catch_up(&mut self) -> Result<(), Failure> {
        self.board.alive();
        while !self.is_restarting {
            if let Some(answer) = self.answers.pop_front() {
                self.step(answer)?;
            } else if let Some(pressed) = self.lines.buttons.take() {
                self.step(pressed)?;
            } else if let Ok(news) = self.lines.news.try_receive() {
                self.hear(news)?;
            } else if self.wake_at_ms().is_some_and(|at| at <= Instant::now().as_millis()) {
                self.step(Input::TimePassed)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn wake_at_ms(&self) -> Option<u64> {
        self.agent.as_ref().and_then(|agent| agent.wake_at_ms())
    }

    fn hear(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Up => {
                self.note(
                    LogLevel::Info,
                    "BROKER_CONNECTED",
                    "the broker accepted the session",
                    None,
                );
                self.step(Input::LinkUp)
            }
            News::Subscribed => self.step(Input::Subscribed),
            News::Down(reason) => {
                self.note(LogLevel::Warn, "BROKER_LOST", &session::words(reason), reason);
                self.step(Input::LinkDown)
            }
            News::Message { topic, payload, room: _room } => {
                let shadow = ShadowId::classic(self.net.identity.thing.clone());
                match shadow.topic_of(&topic) {
                    Some(topic) => self.step(Input::ShadowArrived { topic, payload: &payload }),
                    None => Ok(()),
                }
            }
        }
    }

    fn step(&mut self, input: Input<'_>) -> Result<(), Failure> {
        let Some(mut agent) = self.agent.take() else { return Ok(()) };
        let (mut carried, now) = (Ok(()), self.moment());
        agent.step(now, input, &mut |effect| self.carry_out(effect, &mut carried));
        self.agent = Some(agent);
        carried
    }

    fn moment(&self) -> Moment {
        let uptime_ms = Instant::now().as_millis();
        Moment { uptime_ms, wall_ms: self.board.wall_ms(), random: self.net.random_word() }
    }

    async fn work(&mut self, job: Job) -> Result<(), Failure> {
        self.is_stopped = false;
        let answer = match job {
            Job::Check(wanted) => match self.check_manifest(&wanted).await {
                Ok(target) => Input::ManifestChecked(Ok(target)),
                Err(Broken::Fault(fault)) => Input::ManifestChecked(Err(fault)),
                Err(Broken::Failure) => return Err(Failure),
                Err(Broken::Stopped) => return Ok(()),
            },
            Job::Download { target, from_start } => {
                match self.download(&target, from_start).await {
                    Ok(()) => Input::DownloadEnded(Ok(())),
                    Err(Broken::Fault(fault)) => Input::DownloadEnded(Err(fault)),
                    Err(Broken::Failure) => return Err(Failure),
                    Err(Broken::Stopped) => return Ok(()),
                }
            }
            Job::SelfTest => Input::SelfTestEnded(self.board.self_test()),
        };
        if !self.is_stopped {
            self.answers.push_back(answer);
        }
        Ok(())
    }

    /// The agent hears this before anything else.
    pub(crate) fn answer(&mut self, answer: Input<'static>) {
        self.answers.push_back(answer);
    }

    /// Something was lost or not kept: a line for the log.
    pub(crate) fn complain(&mut self, reason: Reason) {
        self.note(LogLevel::Error, "IO_FAILED", reason.name(), Some(reason));
    }

    pub(crate) fn note(
        &mut self,
        level: LogLevel,
        code: &'static str,
        message: &str,
        reason: Option<Reason>,
    ) {
        self.board.log(&LogLine { level, code: Some(code), message: &[message], reason });
    }
}

impl<B: Board> Company for Device<B> {
    type Broken = Broken;

    async fn wait<F: Future>(&mut self, something: F) -> Result<F::Output, Broken> {
        let mut something = pin!(something);
        loop {
            self.catch_up()?;
            if self.is_stopped || self.is_restarting {
                return Err(Broken::Stopped);
            }
            if let Either::First(found) = select(&mut something, self.something_new()).await {
                return Ok(found);
            }
        }
    }
}
