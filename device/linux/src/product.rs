//! The product around the agent: what the firmware of a slot does, beside updating itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otaru_agent::{Input, SettingId};
use otaru_release::Behaviour;
use otaru_wire::Reason;
use tokio::time::Instant;

use crate::jobs::{Finished, Job};
use crate::program::{self, Left, Program, Ran};

/// How long a program that ended is left alone before it is started again; doubled each time.
const START_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// No program is left alone longer: each end is a line in the log, which is in flash.
const START_AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// Programs of a gateway's product. Each is a path and its arguments.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Kept running, from `current`.
    pub run: Option<Vec<String>>,
    /// Starts the product again after `current` changed, where something else keeps it running.
    pub restart: Option<Vec<String>>,
    /// Says with exit code 0 that new firmware is good.
    pub self_test: Option<Vec<String>>,
    /// Takes over one setting, `{"name": value}` on its standard input, with exit code 0.
    pub apply_settings: Option<Vec<String>>,
    /// How long the self-test may take; without one, how long the program has to stay up.
    pub self_test_limit: Duration,
    /// How long [`Commands::run`], and what it started, may take to end.
    pub stop_limit: Duration,
    /// How long [`Commands::restart`] may take.
    pub restart_limit: Duration,
    /// How long [`Commands::apply_settings`] may take over one setting.
    pub apply_settings_limit: Duration,
}

/// What runs beside the agent.
pub(crate) enum Product {
    /// A simulated device: what its image says.
    Simulated {
        /// What new firmware comes to.
        behaviour: Behaviour,
        /// How long its self-test takes.
        self_test: Duration,
    },
    /// Programs of a Linux system.
    Commands(Running),
}

/// The programs of one boot.
pub(crate) struct Running {
    commands: Commands,
    state: State,
    /// When the program was started last, and how long it is left alone when it ends.
    started_at: Instant,
    start_again_after: Duration,
    /// The program that runs, for whoever ends all of this.
    stage: Arc<Stage>,
}

/// Where the program of a gateway is found by whoever has to end it.
#[derive(Debug, Default)]
pub(crate) struct Stage(Mutex<Option<Arc<Program>>>);

/// What became of [`Commands::run`].
enum State {
    /// There is none.
    Off,
    Runs(Arc<Program>),
    /// It, or what [`Commands::restart`] starts, could not be started; nobody has heard of it yet.
    Failed,
    /// It is started again then.
    Waits(Instant),
}

/// How the program of the product came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It ran, and ended by itself.
    ByItself,
    /// It did not start.
    NotStarted,
}

impl Product {
    /// Whether the firmware hangs in its self-test until a watchdog acts.
    pub(crate) fn hangs(&self) -> bool {
        matches!(self, Product::Simulated { behaviour: Behaviour::Hang, .. })
    }

    /// The self-test of new firmware.
    pub(crate) fn self_test(&self) -> Job {
        match self {
            Product::Simulated { behaviour, self_test } => {
                let (passes, takes) = (*behaviour == Behaviour::Pass, *self_test);
                Box::pin(async move {
                    tokio::time::sleep(takes).await;
                    self_test_ended(passes)
                })
            }
            Product::Commands(Running { commands, .. }) => {
                let (test, limit) = (commands.self_test.clone(), commands.self_test_limit);
                Box::pin(async move {
                    let Some(test) = test else {
                        // A program that ends meanwhile ends the trial.
                        tokio::time::sleep(limit).await;
                        return self_test_ended(true);
                    };
                    // What it leaves running is no product, and would hold the slot it runs from.
                    match program::run(&test, Vec::new(), limit, Left::Killed).await {
                        Ok(Ran::TimedOut) => {
                            let ended = Err(Reason::SelfTestTimedOut);
                            Finished::Answer(Input::SelfTestEnded(ended))
                        }
                        Ok(ran) => self_test_ended(ran == Ran::Passed),
                        Err(error) => {
                            tracing::error!(%error, "The self-test could not be run");
                            self_test_ended(false)
                        }
                    }
                })
            }
        }
    }

    /// Hands a setting over, a JSON object of one member; what comes of it is an answer, and of one
    /// that is restored only where it was not taken.
    pub(crate) fn apply(&self, setting: String, id: Option<SettingId>) -> Job {
        let command = match self {
            // A simulated product takes every setting.
            Product::Simulated { .. } => None,
            Product::Commands(Running { commands, .. }) => {
                commands.apply_settings.clone().map(|apply| (apply, commands.apply_settings_limit))
            }
        };
        Box::pin(async move {
            let taken = match command {
                Some((command, limit)) => take_over(&command, setting, limit).await,
                None => true,
            };
            match (id, taken) {
                (Some(id), true) => Finished::Answer(Input::SettingApplied(id)),
                (Some(id), false) => Finished::Answer(Input::SettingRefused(id)),
                (None, true) => Finished::Nothing,
                (None, false) => Finished::Answer(Input::RestoreRefused),
            }
        })
    }

    /// Returns when the program of the product ended by itself, or could not be started.
    pub(crate) async fn ended(&mut self) -> Ended {
        let Product::Commands(running) = self else { return std::future::pending().await };
        let ended = loop {
            match &running.state {
                State::Off => return std::future::pending().await,
                State::Failed => break Ended::NotStarted,
                State::Runs(program) => {
                    program.ended().await;
                    break Ended::ByItself;
                }
                State::Waits(at) => {
                    tokio::time::sleep_until(*at).await;
                    // What it left running goes first.
                    running.stage.stop().await;
                    running.start();
                }
            }
        };
        if running.commands.run.is_none() {
            running.state = State::Off;
            return ended;
        }
        // One that ran for so long is none that fails at each start.
        if running.started_at.elapsed() >= START_AGAIN_AT_MOST {
            running.start_again_after = START_AGAIN_AFTER;
        }
        let after = running.start_again_after;
        running.start_again_after = (after * 2).min(START_AGAIN_AT_MOST);
        running.state = State::Waits(Instant::now() + after);
        ended
    }

    /// Keeps the program running without an agent, until `is_over` says so; it is asked each time
    /// after `wait`.
    pub(crate) async fn keep_running(&mut self, wait: Duration, is_over: impl Fn() -> bool) {
        loop {
            let asked_at = Instant::now() + wait;
            loop {
                tokio::select! {
                    ended = self.ended() => {
                        tracing::error!(?ended, "The product's program ended");
                    }
                    () = tokio::time::sleep_until(asked_at) => break,
                }
            }
            if is_over() {
                return;
            }
        }
    }

    /// Ends the program of the product before a restart.
    pub(crate) async fn stop(&mut self) {
        if let Product::Commands(running) = self {
            running.state = State::Off;
            running.stage.stop().await;
        }
    }
}

impl Running {
    /// Starts the program, if there is one to be kept running.
    ///
    /// `is_in_force` is whether the product that something else keeps running is what `current`
    /// says, as far as anybody knows.
    pub(crate) fn of(commands: Commands, stage: Arc<Stage>, is_in_force: bool) -> Running {
        let (started_at, start_again_after) = (Instant::now(), START_AGAIN_AFTER);
        let state = if is_in_force { State::Off } else { State::Failed };
        let mut running = Running { commands, state, started_at, start_again_after, stage };
        running.start();
        running
    }

    /// Takes the program over that runs, or starts it.
    pub(crate) fn on(commands: Commands, stage: Arc<Stage>) -> Running {
        let (started_at, start_again_after) = (Instant::now(), START_AGAIN_AFTER);
        let state = stage.program().map_or(State::Off, State::Runs);
        let mut running = Running { commands, state, started_at, start_again_after, stage };
        if matches!(running.state, State::Off) {
            running.start();
        }
        running
    }

    fn start(&mut self) {
        let Some(run) = &self.commands.run else { return };
        self.started_at = Instant::now();
        self.state = match Program::start(run, self.commands.stop_limit) {
            Ok(program) => {
                let program = Arc::new(program);
                self.stage.put(Arc::clone(&program));
                State::Runs(program)
            }
            Err(error) => {
                tracing::error!(%error, program = run[0], "The product could not be started");
                State::Failed
            }
        };
    }
}

impl Stage {
    fn put(&self, program: Arc<Program>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
    }

    fn program(&self) -> Option<Arc<Program>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the program that runs, and what one that ended left running.
    pub(crate) async fn stop(&self) {
        if let Some(program) = self.program() {
            program.stop().await;
        }
    }
}

/// Whether the product took a setting over. What it starts for that may go on running.
async fn take_over(command: &[String], setting: String, limit: Duration) -> bool {
    match program::run(command, setting.into_bytes(), limit, Left::Runs).await {
        Ok(ran) => ran == Ran::Passed,
        Err(error) => {
            tracing::error!(%error, "Settings could not be handed over");
            false
        }
    }
}

fn self_test_ended(passes: bool) -> Finished {
    let result = if passes { Ok(()) } else { Err(Reason::SelfTestFailed) };
    Finished::Answer(Input::SelfTestEnded(result))
}

#[cfg(test)]
mod tests;
