//! The firmware around the update agent, as small as it can be: records, slots, signatures and
//! hashes, between a driver of flash and a network that others bring.
#![no_std]

use arrayvec::ArrayVec;
use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{
    Agent, AgentConfig, Answer, Device, Effect, Fault, Input, Least, Moment, Payload, ResetCause,
    SettingId, Stored, Target, Wanted, check_manifest,
};
use otaru_host::{Answered, Carried, Described, Download, Host, HostError};
use otaru_release::{Chip, ManifestView, OrderAsked, OrderView, PublicKey, Root, RootView};
use otaru_slots::{Layout, MAX_VALUE_BYTES, Slot, StorageError};
use otaru_wire::{Namespace, ProductName, Reason, ShadowId, ShadowTopic, ThingName};

const CHIP: Chip = Chip::Esp32C3;

/// The longest signed document of such a device: a root document, or the manifest of a slot's image
/// with the order behind it.
const DOCUMENT_BYTES_MAX: usize = 4096;

/// The network, as the firmware needs it. Names and paths come in pieces, one behind the other.
pub trait Outside {
    /// Publishes.
    fn publish(&mut self, topic: &[&str], payload: Payload<'_>);
    /// Subscribes; [`Firmware::hear`] of [`Input::Subscribed`] follows.
    fn subscribe(&mut self, shadow: &ShadowId, topics: &[ShadowTopic]);
    /// Gets a small document whole; how long it is.
    fn document(&mut self, path: &[&str], room: &mut [u8]) -> Option<usize>;
    /// Asks for an image from that byte on, and reads the head of the answer.
    fn image(&mut self, path: &[&str], offset: u64) -> Answer<'_>;
    /// The next part of the image; empty at its end.
    fn part(&mut self) -> &[u8];
    /// Sixteen random bytes nobody can guess.
    fn nonce(&mut self) -> [u8; 16];
    /// Whether the product works.
    fn self_test(&mut self) -> bool;
}

/// What happens to the firmware.
pub enum Event<'a> {
    /// Something for the agent.
    Input(Input<'a>),
    /// A message came.
    Message {
        /// Where.
        topic: &'a str,
        /// What.
        payload: &'a [u8],
    },
}

/// One boot of a device.
pub struct Firmware<F, O> {
    agent: Agent,
    board: Board<F, O>,
}

/// Everything but the agent.
struct Board<F, O> {
    host: Host<F>,
    outside: O,
    names: Names,
    root_key: PublicKey,
    checked: Option<Described>,
    /// What the agent has to hear, before anything else.
    answers: ArrayVec<Said, 4>,
    job: Option<Job>,
    /// How the boot ends, once that is decided.
    ended: Result<bool, HostError>,
    document: [u8; DOCUMENT_BYTES_MAX],
}

/// What came of an effect at once.
enum Said {
    OfFlash(Answered),
    SelfTest(bool),
    Applied(SettingId),
}

/// What takes long, between two steps of the agent.
enum Job {
    Check(Wanted),
    Download { target: Target, from_start: bool },
}

/// What ends a job early.
enum Stop {
    /// The agent hears of it.
    Fault(Fault),
    /// Flash failed: there is nothing to go on with.
    Host(HostError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Stop {
        Stop::Fault(reason.into())
    }
}

impl From<HostError> for Stop {
    fn from(error: HostError) -> Stop {
        Stop::Host(error)
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Stop {
        Stop::Host(error.into())
    }
}

/// What the agent hears of a job.
fn heard<T>(ended: Result<T, Stop>) -> Result<Result<T, Fault>, HostError> {
    match ended {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Fault(fault)) => Ok(Err(fault)),
        Err(Stop::Host(error)) => Err(error),
    }
}

struct Names {
    shadow: ShadowId,
    namespace: Namespace,
    product: ProductName,
}

impl<F: NorFlash, O: Outside> Firmware<F, O> {
    /// Starts what runs in `slot`. `None` where the device has to restart already.
    pub fn start(
        mut flash: F,
        slot: Slot,
        reset: ResetCause,
        root_key: PublicKey,
        outside: O,
        now: Moment,
    ) -> Result<Option<Firmware<F, O>>, HostError> {
        let layout = Layout::read(&mut flash).map_err(|_| HostError::NoBootableImage)?;
        let mut host = Host::start(flash, layout, slot, Some(CHIP))?;
        host.set_root_key(Some(root_key));
        let names = Names::new().ok_or(HostError::NoBootableImage)?;
        let config = AgentConfig::new(names.shadow.thing.clone(), names.namespace.clone());
        let facts = host.facts(reset)?;
        let recreated = host.storage().0.recreated();
        let mut board = Board {
            host,
            outside,
            names,
            root_key,
            checked: None,
            answers: ArrayVec::new(),
            job: None,
            ended: Ok(false),
            document: [0; DOCUMENT_BYTES_MAX],
        };
        let agent = board.start_agent(config, &facts, recreated, now)?;
        if core::mem::replace(&mut board.ended, Ok(false))? {
            return Ok(None);
        }
        // What has no room is told of, and costs nothing but that.
        let _ = board.host.begin_trust(&facts, agent.journal())?;
        let (storage, flash) = board.host.storage();
        storage.acknowledge_recreated(flash)?;
        Ok(Some(Firmware { agent, board }))
    }

    /// Takes something that happened. Says whether the device has to restart.
    pub fn hear(&mut self, now: Moment, event: Event<'_>) -> Result<bool, HostError> {
        let input = match event {
            Event::Input(input) => input,
            Event::Message { topic, payload } => {
                let shadow = &self.board.names.shadow;
                let Some(topic) = shadow.topic_of(topic) else { return Ok(false) };
                Input::ShadowArrived { topic, payload }
            }
        };
        let mut next = Some(input);
        while let Some(input) = next {
            self.step(now, input)?;
            if matches!(self.board.ended, Ok(true)) {
                return Ok(true);
            }
            next = self.next_input(now)?;
        }
        Ok(false)
    }

    /// What the agent has to hear next: answers first, and what came of a job.
    fn next_input(&mut self, now: Moment) -> Result<Option<Input<'static>>, HostError> {
        if let Some(answer) = self.board.answers.pop_at(0) {
            return Ok(Some(answer.into()));
        }
        Ok(Some(match self.board.job.take() {
            None => return Ok(None),
            Some(Job::Check(wanted)) => {
                Input::ManifestChecked(heard(self.board.check_manifest(&wanted))?)
            }
            Some(Job::Download { target, from_start }) => {
                Input::DownloadEnded(heard(self.download(now, &target, from_start))?)
            }
        }))
    }

    /// When [`Input::TimePassed`] is wanted.
    pub fn wake_at_ms(&self) -> Option<u64> {
        self.agent.wake_at_ms()
    }

    /// The network.
    pub fn outside(&mut self) -> &mut O {
        &mut self.board.outside
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The chip and the network, for the next boot.
    pub fn into_parts(self) -> (F, O) {
        (self.board.host.into_flash(), self.board.outside)
    }

    fn step(&mut self, now: Moment, input: Input<'_>) -> Result<(), HostError> {
        let Firmware { agent, board } = self;
        agent.step(now, input, &mut |effect| board.carry_out(effect));
        board.ended.map(|_| ())
    }

    fn keep_progress(&mut self, download: &mut Download) -> Result<(), HostError> {
        match download.take_progress() {
            Some(progress) => self.board.host.keep_progress(progress),
            None => Ok(()),
        }
    }

    #[inline(never)]
    fn download(&mut self, now: Moment, target: &Target, from_start: bool) -> Result<(), Stop> {
        let manifest = self.board.checked.take().ok_or(Reason::Internal)?;
        let mut download = self.board.host.download(target, manifest, CHIP, from_start)??;
        loop {
            self.step(now, Input::BytesRead { done: download.right_bytes() })?;
            let Some(asked) = download.ask() else { return Ok(()) };
            let Board { outside, names, .. } = &mut self.board;
            let path = ["/firmware/", names.product.as_str(), "/", target.version.as_str(), ".bin"];
            download.answer(outside.image(&path, asked.offset))?;
            loop {
                let part = self.board.outside.part();
                if part.is_empty() {
                    break;
                }
                let mut told = 0;
                download.part(self.board.host.flash(), part, |done| told = done)?;
                self.keep_progress(&mut download)?;
                self.step(now, Input::BytesRead { done: told })?;
            }
            download.body_ended(self.board.host.flash())?;
            self.keep_progress(&mut download)?;
        }
    }
}

impl<F: NorFlash, O: Outside> Board<F, O> {
    fn start_agent(
        &mut self,
        config: AgentConfig,
        facts: &otaru_agent::BootFacts,
        recreated: Option<Reason>,
        now: Moment,
    ) -> Result<Agent, HostError> {
        let (journal, settings) = self.host.stored()?;
        let stored = Stored { journal: &journal, settings: &settings, recreated };
        Ok(Agent::start(config, facts, stored, now, &mut |effect| self.carry_out(effect)))
    }

    /// Behind whatever ends the boot nothing is carried out any more.
    fn carry_out(&mut self, effect: Effect<'_>) {
        if matches!(self.ended, Ok(false)) {
            self.ended = self.carry_out_one(effect);
        }
    }

    fn carry_out_one(&mut self, effect: Effect<'_>) -> Result<bool, HostError> {
        let outside = match self.host.carry_out(effect)? {
            Carried::Done | Carried::NotKept(_) => return Ok(false),
            Carried::Restart => return Ok(true),
            Carried::Answer(answer) => {
                self.answer(Said::OfFlash(answer));
                return Ok(false);
            }
            Carried::Outside(effect) => effect,
        };
        match outside {
            Effect::Publish { topic, payload, .. } => {
                self.outside.publish(&topic.pieces(&self.names.namespace), payload);
            }
            Effect::Subscribe(topics) => {
                self.outside.subscribe(&self.names.shadow, topics);
            }
            Effect::CheckManifest(wanted) => self.job = Some(Job::Check(wanted)),
            Effect::Download { target, from_start } => {
                self.job = Some(Job::Download { target, from_start });
            }
            Effect::StopTransfer => self.job = None,
            Effect::RunSelfTest => {
                let passed = self.outside.self_test();
                self.answer(Said::SelfTest(passed));
            }
            Effect::ApplySetting { id, .. } => self.answer(Said::Applied(id)),
            _ => {}
        }
        Ok(false)
    }

    /// A setting whose answer has no room is asked for again when it is read again.
    fn answer(&mut self, answer: Said) {
        let _ = self.answers.try_push(answer);
    }

    /// Root documents, manifest and order, each with its signature.
    #[inline(never)]
    fn check_manifest(&mut self, wanted: &Wanted) -> Result<Target, Stop> {
        let mut room = [0; MAX_VALUE_BYTES];
        self.walk_roots(&mut room)?;
        let root = self.host.root(&mut room)?.ok_or(Reason::RootMissing)?;
        let least = self.host.trust()?.least(&root, wanted);
        Ok(self.find_manifest(wanted, &root, least)?)
    }

    /// Follows the root documents to the newest there is; each is kept before the next is asked for.
    fn walk_roots(&mut self, room: &mut [u8; MAX_VALUE_BYTES]) -> Result<(), Stop> {
        loop {
            let newest = self.host.root(room)?;
            let number = newest.as_ref().map_or(1, |root| root.number().saturating_add(1));
            let number = digits(number);
            let number = core::str::from_utf8(&number).unwrap_or_default().trim_start_matches('0');
            let path = ["/firmware/", self.names.product.as_str(), "/root/", number];
            let Some(length) = self.outside.document(&path, &mut self.document) else {
                return Ok(());
            };
            let bytes = self.document.get(..length).unwrap_or_default();
            let root = match &newest {
                Some(root) => RootView::verify_next(bytes, root),
                None => RootView::verify(bytes, [self.root_key]),
            };
            let root = root.map_err(|error| error.reason_of_root())?;
            self.host.keep_root(&root, bytes)??;
        }
    }

    fn find_manifest(
        &mut self,
        wanted: &Wanted,
        root: &RootView<'_>,
        least: Least,
    ) -> Result<Target, Reason> {
        let (outside, product) = (&mut self.outside, &self.names.product);
        let (name, version) = (product.as_str(), wanted.version.as_str());
        let path = ["/firmware/", name, "/", version, ".manifest"];
        let length = outside.document(&path, &mut self.document).ok_or(Reason::ManifestMissing)?;
        let (bytes, rest) = self.document.split_at_mut_checked(length).unwrap_or_default();
        let manifest = ManifestView::verify(bytes, root, None)
            .map_err(|distrust| distrust.reason_of_manifest())?;
        let slot_bytes = self.host.layout().slot(self.host.slot().other()).size.into();
        let device = Device { product, chip: CHIP, revision: None, slot_bytes, least };
        let target = check_manifest(&manifest, wanted, device)?;
        if root.server_key().is_some() {
            let nonce = outside.nonce();
            let hex = hex(nonce);
            let hex = core::str::from_utf8(&hex).unwrap_or_default();
            let path = ["/firmware/", name, "/", version, ".order?nonce=", hex];
            let length = outside.document(&path, rest).ok_or(Reason::OrderMissing)?;
            let asked = OrderAsked {
                thing: &self.names.shadow.thing,
                product,
                version: manifest.version(),
                sha256: &target.sha256,
                nonce: &nonce,
                update: wanted.update.as_ref(),
                is_downgrade: manifest.is_downgrade(),
            };
            let order = OrderView::verify(rest.get(..length).unwrap_or_default(), root);
            let order = order.map_err(|_| Reason::OrderUntrusted)?;
            order.answers(&asked).map_err(|error| error.reason())?;
        }
        self.host.manifest_checked(manifest.signer);
        self.checked = Some((&manifest).into());
        Ok(target)
    }
}

impl From<Said> for Input<'static> {
    fn from(said: Said) -> Input<'static> {
        match said {
            Said::OfFlash(answer) => answer.into(),
            Said::SelfTest(true) => Input::SelfTestEnded(Ok(())),
            Said::SelfTest(false) => Input::SelfTestEnded(Err(Reason::SelfTestFailed)),
            Said::Applied(id) => Input::SettingApplied(id),
        }
    }
}

fn hex(bytes: [u8; 16]) -> [u8; 32] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' - 10 + value };
    let mut hex = [0; 32];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    hex
}

/// A root's number; no product has ten thousand of them.
fn digits(number: u64) -> [u8; 4] {
    let number = number.min(9999) as u32;
    let mut digits = [b'0'; 4];
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit += (left % 10) as u8;
        left /= 10;
    }
    digits
}

impl Names {
    fn new() -> Option<Names> {
        Some(Names {
            shadow: ShadowId::classic(ThingName::parse("clock-01")?),
            namespace: Namespace::parse("mia")?,
            product: ProductName::parse("clock")?,
        })
    }
}
