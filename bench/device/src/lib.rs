//! The firmware around the update agent, as small as it can be: records, slots, signatures and
//! hashes, between a driver of flash and a network that others bring.
#![no_std]

extern crate alloc;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{
    Agent, AgentConfig, Answer, Device, Effect, Fault, Input, Moment, ResetCause, Stored, Target,
    Trust, Wanted, check_manifest,
};
use otaru_host::{Carried, Download, Host, HostError};
use otaru_release::{Chip, KeyId, Manifest, Order, OrderAsked, PublicKey, RootDocument};
use otaru_slots::{Layout, Slot};
use otaru_wire::{Namespace, ProductName, Reason, ShadowId, ThingName, Topic};

const CHIP: Chip = Chip::Esp32C3;

/// The network, as the firmware needs it.
pub trait Outside {
    /// Publishes.
    fn publish(&mut self, topic: &str, payload: &[u8]);
    /// Subscribes; [`Firmware::hear`] of [`Input::Subscribed`] follows.
    fn subscribe(&mut self, topics: &[String]);
    /// Gets a small document whole.
    fn document(&mut self, path: &str) -> Option<Vec<u8>>;
    /// Asks for an image from that byte on, and reads the head of the answer.
    fn image(&mut self, path: &str, offset: u64) -> Answer<'_>;
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
    host: Host<F>,
    agent: Agent,
    outside: O,
    names: Names,
    root_key: PublicKey,
    checked: Option<Manifest>,
    answers: VecDeque<Input<'static>>,
}

struct Names {
    thing: ThingName,
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
        let facts = host.facts(reset)?;
        let (journal, settings) = host.stored()?;
        let recreated = host.storage().0.recreated();
        let stored = Stored { journal: &journal, settings: &settings, recreated };
        let names = Names::new().ok_or(HostError::NoBootableImage)?;
        let config = AgentConfig::new(names.thing.clone(), names.namespace.clone());
        let (agent, effects) = Agent::start(config, &facts, stored, now);
        drop((journal, settings));
        let (checked, answers) = (None, VecDeque::new());
        let mut firmware = Firmware { host, agent, outside, names, root_key, checked, answers };
        if firmware.carry_out(now, effects)? {
            return Ok(None);
        }
        // What has no room is told of, and costs nothing but that.
        let _ = firmware.host.begin_trust(&facts, firmware.agent.journal().security_floor)?;
        let (storage, flash) = firmware.host.storage();
        storage.acknowledge_recreated(flash)?;
        Ok(Some(firmware))
    }

    /// Takes something that happened. Says whether the device has to restart.
    pub fn hear(&mut self, now: Moment, event: Event<'_>) -> Result<bool, HostError> {
        match event {
            Event::Input(input) => self.step(now, input),
            Event::Message { topic, payload } => {
                let Some(Topic::Shadow { topic, .. }) = Topic::parse(&self.names.namespace, topic)
                else {
                    return Ok(false);
                };
                self.step(now, Input::ShadowArrived { topic, payload })
            }
        }
    }

    /// When [`Input::TimePassed`] is wanted.
    pub fn wake_at_ms(&self) -> Option<u64> {
        self.agent.wake_at_ms()
    }

    /// The network.
    pub fn outside(&mut self) -> &mut O {
        &mut self.outside
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The chip and the network, for the next boot.
    pub fn into_parts(self) -> (F, O) {
        (self.host.into_flash(), self.outside)
    }

    fn step(&mut self, now: Moment, input: Input<'_>) -> Result<bool, HostError> {
        let effects = self.agent.step(now, input);
        if self.carry_out(now, effects)? {
            return Ok(true);
        }
        while let Some(answer) = self.answers.pop_front() {
            let effects = self.agent.step(now, answer);
            if self.carry_out(now, effects)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn carry_out(&mut self, now: Moment, effects: Vec<Effect>) -> Result<bool, HostError> {
        for effect in effects {
            let outside = match self.host.carry_out(effect)? {
                Carried::Done | Carried::NotKept(_) => continue,
                Carried::Restart => return Ok(true),
                Carried::Answer(answer) => {
                    self.answers.push_back(answer.into());
                    continue;
                }
                Carried::Outside(effect) => effect,
            };
            match outside {
                Effect::Publish { topic, payload, .. } => {
                    let topic = topic.format(&self.names.namespace);
                    self.outside.publish(&topic, &payload);
                }
                Effect::Subscribe(topics) => {
                    let shadow = ShadowId::classic(self.names.thing.clone());
                    let topics: Vec<String> =
                        topics.into_iter().map(|topic| shadow.topic_name(topic)).collect();
                    self.outside.subscribe(&topics);
                }
                Effect::CheckManifest(wanted) => {
                    let answer = self.check_manifest(&wanted)?;
                    self.answers.push_back(Input::ManifestChecked(answer));
                }
                Effect::Download { target, from_start } => {
                    let ended = self.download(now, &target, from_start)?;
                    self.answers.push_back(Input::DownloadEnded(ended));
                }
                Effect::RunSelfTest => {
                    let passed = self.outside.self_test();
                    let result = if passed { Ok(()) } else { Err(Reason::SelfTestFailed) };
                    self.answers.push_back(Input::SelfTestEnded(result));
                }
                Effect::ApplySetting { name, value } => {
                    self.answers.push_back(Input::SettingApplied { name, value });
                }
                _ => {}
            }
        }
        Ok(false)
    }

    /// Root documents, manifest and order, each with its signature.
    fn check_manifest(&mut self, wanted: &Wanted) -> Result<Result<Target, Fault>, HostError> {
        let root = match self.walk_roots()? {
            Ok(root) => root,
            Err(fault) => return Ok(Err(fault)),
        };
        let (_, trust) = self.host.trusted()?;
        let found = self.find_manifest(wanted, &root, &trust);
        Ok(found.map(|(manifest, signer, target)| {
            self.host.manifest_checked(signer);
            self.checked = Some(manifest);
            target
        }))
    }

    fn walk_roots(&mut self) -> Result<Result<RootDocument, Fault>, HostError> {
        let mut newest = self.host.trusted()?.0;
        loop {
            let number = newest.as_ref().map_or(1, |root| root.number.saturating_add(1));
            let path = format!("/firmware/{}/root/{number}", self.names.product);
            let Some(bytes) = self.outside.document(&path) else {
                return Ok(newest.ok_or(Reason::RootMissing.into()));
            };
            let verified = match &newest {
                Some(root) => root.verify_next(&bytes),
                None => RootDocument::verify(&bytes, &[self.root_key]),
            };
            let root = match verified {
                Ok(root) => root,
                Err(error) => return Ok(Err(error.reason().into())),
            };
            if let Err(reason) = self.host.keep_root(&root, &bytes)? {
                return Ok(Err(reason.into()));
            }
            newest = Some(root);
        }
    }

    fn find_manifest(
        &mut self,
        wanted: &Wanted,
        root: &RootDocument,
        trust: &Trust,
    ) -> Result<(Manifest, KeyId, Target), Fault> {
        let (outside, product) = (&mut self.outside, &self.names.product);
        let path = format!("/firmware/{product}/{}.manifest", wanted.version);
        let bytes = outside.document(&path).ok_or(Reason::ManifestMissing)?;
        let manifest = Manifest::verify(&bytes, root, None).map_err(|error| error.reason())?;
        let signer = Manifest::signer(&bytes).map_err(|error| error.reason())?;
        drop(bytes);
        let least = trust.least(root, wanted);
        let slot_bytes = self.host.layout().slot(self.host.slot().other()).size.into();
        let device = Device { product, chip: CHIP, revision: None, slot_bytes, least };
        let target = check_manifest(&manifest, wanted, device)?;
        if root.server_key.is_some() {
            let nonce = outside.nonce();
            let hex: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
            let path = format!("/firmware/{product}/{}.order?nonce={hex}", wanted.version);
            let bytes = outside.document(&path).ok_or(Reason::OrderMissing)?;
            let asked = OrderAsked {
                thing: &self.names.thing,
                product,
                version: manifest.version.as_str().as_bytes(),
                sha256: &manifest.sha256,
                nonce: &nonce,
                update: wanted.update.as_ref(),
                is_downgrade: manifest.is_downgrade,
            };
            Order::verify(&bytes, root)
                .and_then(|order| order.answers(&asked))
                .map_err(|error| error.reason())?;
        }
        Ok((manifest, signer, target))
    }

    fn download(
        &mut self,
        now: Moment,
        target: &Target,
        from_start: bool,
    ) -> Result<Result<(), Fault>, HostError> {
        let Some(manifest) = self.checked.take() else { return Ok(Err(Reason::Internal.into())) };
        let path = format!("/firmware/{}/{}.bin", self.names.product, target.version);
        let mut download = match self.host.download(target, &manifest, CHIP, from_start)? {
            Ok(download) => download,
            Err(fault) => return Ok(Err(fault)),
        };
        drop(manifest);
        loop {
            let done = download.right_bytes();
            let effects = self.agent.step(now, Input::BytesRead { done });
            self.carry_out(now, effects)?;
            let Some(asked) = download.ask() else { return Ok(Ok(())) };
            let begun = download.answer(self.outside.image(&path, asked.offset));
            if let Err(fault) = begun {
                return Ok(Err(fault));
            }
            if let Err(fault) = self.fill(now, &mut download)? {
                return Ok(Err(fault));
            }
        }
    }

    /// One body, part by part.
    fn fill(
        &mut self,
        now: Moment,
        download: &mut Download,
    ) -> Result<Result<(), Fault>, HostError> {
        loop {
            let part = self.outside.part();
            if part.is_empty() {
                return Ok(download.body_ended(self.host.flash()));
            }
            let mut told = 0;
            if let Err(fault) = download.part(self.host.flash(), part, |done| told = done) {
                return Ok(Err(fault));
            }
            let effects = self.agent.step(now, Input::BytesRead { done: told });
            self.carry_out(now, effects)?;
        }
    }
}

impl Names {
    fn new() -> Option<Names> {
        Some(Names {
            thing: ThingName::parse("clock-01")?,
            namespace: Namespace::parse("mia")?,
            product: ProductName::parse("clock")?,
        })
    }
}
