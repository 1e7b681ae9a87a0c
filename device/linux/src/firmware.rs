//! One boot: the agent, its links, and the effects it asks for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use otaru_agent::{
    AgentConfig, AgentPhase, Effect, Input, Moment, ResetCause, SettingId, Stored, WithoutBroker,
};
use otaru_host::Host;
use otaru_release::Chip;
use otaru_wire::Reason;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout};

use crate::certificates::{self, Certificates};
use crate::download::Told;
use crate::https::Https;
use crate::jobs::{Finished, Job};
use crate::log_buffer::LogBuffer;
use crate::manifest::Checked;
use crate::mqtt::{END_LIMIT, Link, LinkEvent};
use crate::product::Product;
use crate::renewal::RenewalTask;
use crate::view::DeviceAgent;
use crate::{FileFlash, Hook, Identity, SimError, SimOptions};

mod effects;
mod events;
mod publish;

use publish::{Posted, Publisher};

/// How a boot ends.
enum Exit {
    /// The firmware asked for a restart.
    Restart,
    /// It hangs until the watchdog acts.
    Hang,
    /// It ended in its trial.
    Crash,
}

/// Running firmware: everything a restart takes away.
pub(crate) struct Firmware<'a> {
    options: &'a SimOptions,
    identity: &'a Identity,
    host: Host<FileFlash>,
    chip: Chip,
    product: Product,
    /// Settings the product has not taken over yet, as JSON, and which the agent waits for.
    settings: VecDeque<(String, Option<SettingId>)>,
    applying: Option<Job>,
    logs: LogBuffer,
    /// No log records before this: the broker refused some.
    logs_paused_until: Option<Instant>,
    /// Where it is but within a step of its own.
    agent: Option<Box<DeviceAgent>>,
    booted_at: Instant,
    /// Inputs that effects answered at once.
    answers: VecDeque<Input<'static>>,
    /// How this boot ends, once that is decided.
    exit: Option<Exit>,
    /// The manifest checked last, and the connection it came by.
    checked: Option<(Box<Checked>, Https)>,
    job: Option<Job>,
    watch: Option<Job>,
    self_test: Option<Job>,
    /// What the download under way says.
    heard: Option<UnboundedReceiver<Told>>,
    publisher: Publisher,
    posted: UnboundedReceiver<Posted>,
    link_events: UnboundedReceiver<LinkEvent>,
    /// Ends its task with this boot.
    link: Link,
    certificates: Arc<Certificates>,
    /// What is heard of them.
    told: UnboundedReceiver<certificates::Told>,
    /// Ends its task with this boot, too.
    _renewal: Option<RenewalTask>,
    /// What was last said about a link that does not come up.
    last_link_fault: Option<Reason>,
}

impl<'a> Firmware<'a> {
    /// Starts the agent beside the image of a slot.
    pub(crate) fn start(
        options: &'a SimOptions,
        identity: &'a Identity,
        mut host: Host<FileFlash>,
        chip: Chip,
        product: Product,
        reset: ResetCause,
    ) -> Result<Firmware<'a>, SimError> {
        host.set_root_key(identity.root_key().ok());
        let facts = host.facts(reset)?;
        if !options.patches {
            host.forbid_patches();
        }
        let (journal, settings) = host.stored()?;
        let (storage, _) = host.storage();
        let config = agent_config(options, identity, storage.settings_bytes_max());
        let stored =
            Stored { journal: &journal, settings: &settings, recreated: storage.recreated() };
        let booted_at = Instant::now();
        let (link_sender, link_events) = unbounded_channel();
        let (posted_sender, posted) = unbounded_channel();
        let (told_sender, told) = unbounded_channel();
        let certificates = Arc::new(Certificates::new(&identity.dir, told_sender));
        let renewal = options.renewal.map(|renewal| {
            RenewalTask::start(renewal, identity.clone(), options, Arc::clone(&certificates))
        });
        let mut firmware = Firmware {
            options,
            identity,
            host,
            chip,
            product,
            settings: VecDeque::new(),
            applying: None,
            logs: LogBuffer::default(),
            logs_paused_until: None,
            agent: None,
            booted_at,
            answers: VecDeque::new(),
            exit: None,
            checked: None,
            job: None,
            watch: None,
            self_test: None,
            heard: None,
            publisher: Publisher::new(posted_sender),
            posted,
            link_events,
            link: Link::start(identity.clone(), options, Arc::clone(&certificates), link_sender),
            certificates,
            told,
            _renewal: renewal,
            last_link_fault: None,
        };
        let mut carried = Ok(());
        let now = moment(options, booted_at);
        let agent = DeviceAgent::start(config, &facts, stored, now, &mut |effect| {
            firmware.carry_out(effect, &mut carried);
        });
        options.view.booted(&agent);
        firmware.certificates.set_quiet(is_quiet(agent.phase()));
        firmware.agent = Some(Box::new(agent));
        carried?;
        firmware.begin_trust(&facts)?;
        // Only now the log buffer holds the loss of the old records.
        let (storage, flash) = firmware.host.storage();
        storage.acknowledge_recreated(flash)?;
        Ok(firmware)
    }

    /// Runs until the next reset; what was its cause.
    pub(crate) async fn run(mut self) -> Result<ResetCause, SimError> {
        loop {
            while let Some(input) = self.answers.pop_front() {
                self.step(input)?;
            }
            match self.exit {
                Some(Exit::Restart) => {
                    self.end_session().await;
                    self.product.stop().await;
                    return Ok(ResetCause::Software);
                }
                Some(Exit::Hang) => {
                    // The network stack has tasks of its own: what was said still leaves.
                    tokio::time::sleep(self.options.watchdog).await;
                    return Ok(ResetCause::Watchdog);
                }
                Some(Exit::Crash) => {
                    self.product.stop().await;
                    return Ok(ResetCause::Panic);
                }
                None => {}
            }
            self.post_logs()?;
            self.wait().await?;
        }
    }

    /// Lets everything that was said reach the broker before a planned restart, within limits.
    async fn end_session(&mut self) {
        if !self.publisher.end() {
            return;
        }
        let down = async {
            while let Some(event) = self.link_events.recv().await {
                if matches!(event, LinkEvent::Down { .. }) {
                    return;
                }
            }
        };
        let _ = timeout(END_LIMIT, down).await;
    }

    /// Waits for the next thing to happen and lets the agent hear of it.
    async fn wait(&mut self) -> Result<(), SimError> {
        let wake_at = self.agent.as_ref().and_then(|agent| agent.wake_at_ms());
        let wake_at = wake_at.map(|at| self.booted_at + Duration::from_millis(at));
        let wake_at = [wake_at, self.logs_paused_until].into_iter().flatten().min();
        tokio::select! {
            Some(event) = self.link_events.recv() => self.link_changed(event),
            Some(posted) = self.posted.recv() => self.message_posted(posted),
            Some(told) = self.told.recv() => self.certificate_told(told),
            told = next_told(&mut self.heard) => self.transfer_told(told),
            finished = finish(&mut self.job) => {
                self.job = None;
                self.hear_the_rest()?;
                self.job_finished(finished)
            }
            finished = finish(&mut self.watch) => {
                self.watch = None;
                self.job_finished(finished)
            }
            finished = finish(&mut self.self_test) => {
                self.self_test = None;
                self.job_finished(finished)
            }
            finished = finish(&mut self.applying) => {
                self.applying = None;
                self.apply_next_setting();
                self.job_finished(finished)
            }
            ended = self.product.ended() => self.program_ended(ended),
            pressed = next_press(self.options.hook.as_ref()) => self.step(pressed),
            () = sleep_until(wake_at) => self.step(Input::TimePassed),
        }
    }

    /// Everything a finished download said comes before its end.
    fn hear_the_rest(&mut self) -> Result<(), SimError> {
        while let Some(told) = self.heard.as_mut().and_then(|heard| heard.try_recv().ok()) {
            self.transfer_told(told)?;
        }
        self.heard = None;
        Ok(())
    }

    fn step(&mut self, input: Input<'_>) -> Result<(), SimError> {
        self.host.flash().check_power()?;
        let Some(mut agent) = self.agent.take() else { return Ok(()) };
        let (before, mut carried) = (agent.phase(), Ok(()));
        let now = moment(self.options, self.booted_at);
        agent.step(now, input, &mut |effect| self.carry_out(effect, &mut carried));
        let after = agent.phase();
        if std::mem::discriminant(&before) != std::mem::discriminant(&after) {
            tracing::info!(device.thing = %self.identity.thing, ?before, ?after, "Phase changed");
        }
        self.certificates.set_quiet(is_quiet(after));
        if agent.is_online() {
            self.link.was_of_use();
        }
        self.options.view.show(&agent);
        self.agent = Some(agent);
        carried
    }

    /// Behind a restart, or what fails, nothing is carried out any more.
    fn carry_out(&mut self, effect: Effect<'_>, carried: &mut Result<(), SimError>) {
        if carried.is_ok() && self.exit.is_none() {
            *carried = self.carry_out_one(effect);
        }
    }
}

fn agent_config(
    options: &SimOptions,
    identity: &Identity,
    settings_bytes_max: usize,
) -> AgentConfig {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = AgentConfig::new(identity.thing.clone(), identity.namespace.clone());
    AgentConfig {
        retry_base_ms: ms(options.retry_base),
        retry_cap_ms: ms(options.retry_cap),
        answer_limit_ms: ms(options.answer_limit),
        self_test_limit_ms: config.self_test_limit_ms.max(ms(options.self_test).saturating_mul(2)),
        broker_limit_ms: ms(options.broker_limit),
        trust_interval_ms: ms(options.trust_interval),
        trust_spread_ms: ms(options.trust_spread),
        restart_window: options.restart_window,
        asks_product: options.hook.is_some(),
        shows_offers: options.hook.as_ref().is_some_and(Hook::has_screen),
        without_broker: WithoutBroker::RollBack,
        settings_bytes_max,
        ..config
    }
}

/// Whether nothing but the update may begin: its download would be cut off with the certificate it
/// came with, and a trial has to reach the broker with what it knows.
fn is_quiet(phase: AgentPhase) -> bool {
    use AgentPhase::{AwaitRetry, Deferred, Idle};
    !matches!(phase, Idle | Deferred { .. } | AwaitRetry { .. })
}

fn moment(options: &SimOptions, booted_at: Instant) -> Moment {
    Moment {
        uptime_ms: u64::try_from(booted_at.elapsed().as_millis()).unwrap_or(u64::MAX),
        wall_ms: options.clock.wall_ms(),
        // Without randomness devices may retry together; they still retry.
        random: getrandom::u64().unwrap_or_default(),
    }
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default()
}

async fn finish(job: &mut Option<Job>) -> Finished {
    match job {
        Some(job) => job.await,
        None => std::future::pending().await,
    }
}

async fn next_told(heard: &mut Option<UnboundedReceiver<Told>>) -> Told {
    match heard {
        Some(heard) => match heard.recv().await {
            Some(told) => told,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn next_press(hook: Option<&Hook>) -> Input<'static> {
    match hook {
        Some(hook) => hook.next_press().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A sender whose messages the firmware hears in its own loop.
type PostedSender = UnboundedSender<Posted>;
