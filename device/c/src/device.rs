//! One boot of a device: what was heard, what is under way, and one bounded piece of it at a time.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use otaru_agent::{
    Agent, AgentConfig, DailyWindow, Delivery, Effect, Input, LogLine, ResetCause, Stored, Target,
};
use otaru_host::{Carried, Host, HostError};
use otaru_release::{Chip, Manifest, PublicKey};
use otaru_slots::{Layout, Slot, TableError};
use otaru_wire::payload::LogLevel;
use otaru_wire::{Namespace, ProductName, Reason, ShadowId, ShadowTopic, ThingName};

use crate::board::{Board, BoardFlash};
use crate::download::Transfer;
use crate::trust::Check;

/// Bytes are told of at most once in this time: radio and TLS have other things to do.
const PROGRESS_INTERVAL_MS: u64 = 10_000;

/// What the device is, from the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) thing: ThingName,
    pub(crate) namespace: Namespace,
    pub(crate) product: ProductName,
    pub(crate) root_key: PublicKey,
    pub(crate) chip: Chip,
    pub(crate) revision: Option<u16>,
    pub(crate) built_at_s: i64,
    pub(crate) takes_patches: bool,
    pub(crate) restart_window: DailyWindow,
}

/// Why a device does not start, or does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The partition table cannot be used.
    Table,
    /// Flash, or the records in it.
    Flash,
    /// The slot that runs holds no image.
    NoImage,
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Failure {
        match error {
            HostError::NoBootableImage => Failure::NoImage,
            _ => Failure::Flash,
        }
    }
}

impl From<otaru_slots::StorageError> for Failure {
    fn from(_: otaru_slots::StorageError) -> Failure {
        Failure::Flash
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Failure {
        match error {
            TableError::Flash(_) => Failure::Flash,
            _ => Failure::Table,
        }
    }
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, until something is heard or it is time.
    Idle,
    /// More, at once.
    Again,
    /// The processor restarts.
    Restart,
}

/// Something heard, until it is its turn.
enum Heard {
    Input(Input<'static>),
    Message { topic: ShadowTopic, payload: Vec<u8> },
}

/// The one long thing under way.
enum Job {
    Check(Box<Check>),
    Transfer(Box<Transfer>),
}

/// A device between power-on and restart.
pub(crate) struct Device {
    pub(crate) board: Board,
    pub(crate) identity: Identity,
    pub(crate) host: Host<BoardFlash>,
    /// The manifest checked last.
    pub(crate) checked: Option<Manifest>,
    /// Where it is but within a step of its own.
    agent: Option<Box<Agent>>,
    heard: VecDeque<Heard>,
    /// Answers to effects, which come before what is heard.
    answers: VecDeque<Input<'static>>,
    job: Option<Job>,
    /// Root and timestamp are to be looked at, when nothing else is under way.
    wants_watch: bool,
    is_restarting: bool,
}

impl Device {
    /// Looks at flash and starts the agent.
    pub(crate) fn start(
        board: Board,
        identity: Identity,
        flash_bytes: u32,
        slot: Slot,
        reset: ResetCause,
    ) -> Result<Device, Failure> {
        let mut flash = BoardFlash { board, bytes: flash_bytes };
        let layout = Layout::read(&mut flash)?;
        let mut host = Host::start(flash, layout, slot, Some(identity.chip))?;
        host.set_root_key(Some(identity.root_key));
        let facts = host.facts(reset)?;
        if !identity.takes_patches {
            host.forbid_patches();
        }
        let (journal, settings) = host.stored()?;
        let recreated = host.storage().0.recreated();
        let stored = Stored { journal: &journal, settings: &settings, recreated };
        let config = AgentConfig {
            asks_product: board.decides(),
            shows_offers: board.shows_offers(),
            restart_window: Some(identity.restart_window),
            progress_interval_ms: PROGRESS_INTERVAL_MS,
            ..AgentConfig::new(identity.thing.clone(), identity.namespace.clone())
        };
        let mut device = Device {
            board,
            identity,
            host,
            checked: None,
            agent: None,
            heard: VecDeque::new(),
            answers: VecDeque::new(),
            job: None,
            wants_watch: false,
            is_restarting: false,
        };
        let mut carried = Ok(());
        let agent = Agent::start(config, &facts, stored, board.moment(), &mut |effect| {
            device.carry_out(effect, &mut carried);
        });
        device.agent = Some(Box::new(agent));
        carried?;
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

    /// Something for the agent.
    pub(crate) fn hear(&mut self, input: Input<'static>) {
        self.heard.push_back(Heard::Input(input));
    }

    /// A message of the broker. What is not this device's shadow is nobody's.
    pub(crate) fn hear_message(&mut self, topic: &str, payload: &[u8]) {
        let shadow = ShadowId::classic(self.identity.thing.clone());
        if let Some(topic) = shadow.topic_of(topic) {
            self.heard.push_back(Heard::Message { topic, payload: payload.to_vec() });
        }
    }

    /// When there is something to do though nothing is heard.
    pub(crate) fn wake_at_ms(&self) -> Option<u64> {
        self.agent.as_ref().and_then(|agent| agent.wake_at_ms())
    }

    /// One piece of work: an answer, something heard, a part of the job, or the time.
    pub(crate) fn poll(&mut self) -> Result<Next, Failure> {
        if self.is_restarting {
            return Ok(Next::Restart);
        }
        let now = self.board.moment();
        if let Some(answer) = self.answers.pop_front() {
            self.step(answer)?;
        } else if let Some(heard) = self.heard.pop_front() {
            match heard {
                Heard::Input(input) => self.step(input)?,
                Heard::Message { topic, payload } => {
                    self.step(Input::ShadowArrived { topic, payload: &payload })?;
                }
            }
        } else if let Some(job) = self.job.take() {
            self.work(job)?;
        } else if core::mem::take(&mut self.wants_watch) {
            self.job = Some(Job::Check(Box::new(self.begin_check(None)?)));
        } else if self.wake_at_ms().is_some_and(|at| at <= now.uptime_ms) {
            self.step(Input::TimePassed)?;
        } else {
            return Ok(Next::Idle);
        }
        Ok(if self.is_restarting { Next::Restart } else { Next::Again })
    }

    fn step(&mut self, input: Input<'_>) -> Result<(), Failure> {
        let Some(mut agent) = self.agent.take() else { return Ok(()) };
        let mut carried = Ok(());
        agent.step(self.board.moment(), input, &mut |effect| self.carry_out(effect, &mut carried));
        self.agent = Some(agent);
        carried
    }

    /// A piece of what is under way.
    fn work(&mut self, job: Job) -> Result<(), Failure> {
        match job {
            Job::Check(mut check) => {
                if self.check_next(&mut check)? {
                    self.job = Some(Job::Check(check));
                }
            }
            Job::Transfer(mut transfer) => {
                let ended = transfer.work(&self.board, self.host.flash());
                if let Some(refusal) = transfer.refused() {
                    self.host.patch_refused(&transfer.manifest.sha256);
                    refusal.line(&transfer.manifest.version).tell(|line| self.board.log(&line));
                }
                if let Some(progress) = transfer.take_progress() {
                    self.host.keep_progress(progress)?;
                }
                if let Some(done) = transfer.take_told() {
                    self.answers.push_back(Input::BytesRead { done });
                }
                match ended {
                    Ok(false) => self.job = Some(Job::Transfer(transfer)),
                    Ok(true) => self.answers.push_back(Input::DownloadEnded(Ok(()))),
                    Err(fault) => self.answers.push_back(Input::DownloadEnded(Err(fault))),
                }
            }
        }
        Ok(())
    }

    pub(crate) fn answer(&mut self, answer: Input<'static>) {
        self.answers.push_back(answer);
    }

    /// Behind a restart or a failure nothing is carried out any more.
    fn carry_out(&mut self, effect: Effect<'_>, carried: &mut Result<(), Failure>) {
        if carried.is_ok() && !self.is_restarting {
            *carried = self.carry_out_one(effect);
        }
    }

    fn carry_out_one(&mut self, effect: Effect<'_>) -> Result<(), Failure> {
        match self.host.carry_out(effect)? {
            Carried::Done => {}
            Carried::NotKept(reason) => self.complain(reason),
            Carried::Answer(answer) => self.answers.push_back(answer.into()),
            Carried::Restart => self.is_restarting = true,
            Carried::Outside(effect) => self.carry_outside(effect)?,
        }
        Ok(())
    }

    fn carry_outside(&mut self, effect: Effect<'_>) -> Result<(), Failure> {
        match effect {
            Effect::Subscribe(topics) => {
                let shadow = ShadowId::classic(self.identity.thing.clone());
                let topics: Vec<String> =
                    topics.iter().map(|topic| shadow.topic_pieces(*topic).concat()).collect();
                self.board.subscribe(&topics);
            }
            Effect::Publish { topic, payload, delivery } => {
                let qos = u8::from(delivery == Delivery::AtLeastOnce);
                let topic = topic.pieces(&self.identity.namespace).concat();
                let mut bytes = Vec::with_capacity(payload.len_bytes());
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                self.board.publish(&topic, &bytes, qos);
            }
            Effect::Disconnect => self.board.disconnect(),
            Effect::CheckManifest(wanted) => {
                self.stop();
                self.checked = None;
                let check = self.begin_check(Some(wanted))?;
                self.job = Some(Job::Check(Box::new(check)));
            }
            Effect::CheckTrust => self.wants_watch = true,
            Effect::Download { target, from_start } => self.download(&target, from_start)?,
            Effect::StopTransfer => {
                self.stop();
                self.answers.retain(|answer| {
                    !matches!(answer, Input::SlotVerified(_) | Input::BytesRead { .. })
                });
                // The product answered what is not asked any more.
                self.heard.retain(|heard| !matches!(heard, Heard::Input(Input::ProductDecided(_))));
            }
            Effect::AskProduct(question) => self.board.ask(&question),
            Effect::ShowOffer(offer) => self.board.show_offer(offer.as_ref()),
            Effect::RunSelfTest => self.board.self_test(),
            Effect::ApplySetting { id, name, value } => {
                let taken = self.board.apply_setting(name, value);
                self.answers.push_back(match taken {
                    true => Input::SettingApplied(id),
                    false => Input::SettingRefused(id),
                });
            }
            Effect::RestoreSetting { name, value } => {
                if !self.board.apply_setting(name, value) {
                    self.answers.push_back(Input::RestoreRefused);
                }
            }
            Effect::Log(line) => self.board.log(&line),
            // The host's own: it hands none of them on.
            Effect::SaveJournal(_)
            | Effect::SaveSettings(_)
            | Effect::AdoptManifest(_)
            | Effect::RaiseFloor(_)
            | Effect::VerifySlot(_)
            | Effect::ArmTrialBoot(_)
            | Effect::ConfirmSlot
            | Effect::RollBack
            | Effect::Restart => {}
        }
        Ok(())
    }

    /// Something was lost or not kept: a line for the log.
    pub(crate) fn complain(&self, reason: Reason) {
        let (level, code) = (LogLevel::Error, Some("IO_FAILED"));
        let message = &[reason.name()];
        self.board.log(&LogLine { level, code, message, reason: Some(reason) });
    }

    /// Ends what is under way, and its request.
    fn stop(&mut self) {
        match self.job.take() {
            Some(Job::Transfer(mut transfer)) => transfer.close(&self.board),
            // Nobody asked for its end: it is begun again.
            Some(Job::Check(check)) => self.wants_watch |= check.is_watch(),
            None => {}
        }
    }

    fn download(&mut self, target: &Target, from_start: bool) -> Result<(), Failure> {
        let Some(manifest) = self.checked.take() else {
            self.answers.push_back(Input::DownloadEnded(Err(Reason::Internal.into())));
            return Ok(());
        };
        match self.host.patch_download(target, &manifest, self.identity.chip, from_start)? {
            Ok(download) => {
                self.stop();
                let transfer = Transfer::new(download, manifest);
                self.job = Some(Job::Transfer(Box::new(transfer)));
            }
            Err(fault) => self.answers.push_back(Input::DownloadEnded(Err(fault))),
        }
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop();
    }
}
