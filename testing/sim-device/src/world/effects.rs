//! What the agent wants done, and what becomes of it.

use otaru_agent::{Device, Effect, Fault, Input, Wanted, check_manifest};
use otaru_host::{Carried, Host, HostError};
use otaru_release::{Behaviour, Manifest, ManifestView};
use otaru_sim_flash::SimFlash;
use otaru_wire::{Reason, ShadowTopic, ShadowVerb, Topic};

use super::{Event, Stop, Transfer, World};
use crate::catalogue::{CHIP, REVISION, catalogue, product};
use crate::judge::{Violation, Wished};
use crate::network::Document;

/// How long a self-test takes.
const SELF_TEST_MS: u64 = 3_000;
/// When the watchdog acts.
const WATCHDOG_MS: u64 = 60_000;

impl<const UNIT: usize> World<UNIT> {
    /// Behind whatever ends a boot nothing is carried out any more.
    pub(super) fn carry_out(
        &mut self,
        effect: Effect<'_>,
        stop: &mut Result<Option<Stop>, Violation>,
    ) {
        if matches!(stop, Ok(None)) {
            *stop = self.carry_out_one(effect);
        }
    }

    fn carry_out_one(&mut self, effect: Effect<'_>) -> Result<Option<Stop>, Violation> {
        if let Effect::SaveJournal(bytes) = &effect {
            self.note(|| format!("  save journal, {} bytes", bytes.len()));
            self.judge.saving(bytes);
            self.journal_writes += 1;
        }
        if !matches!(effect, Effect::SaveJournal(_) | Effect::Publish { .. }) {
            self.note(|| format!("  {effect:?}"));
        }
        let saves = matches!(effect, Effect::SaveJournal(_));
        let carried = match self.on_flash(|host, _| host.carry_out(effect))? {
            None => return Ok(Some(Stop::PowerLost)),
            Some(Ok(carried)) => carried,
            Some(Err(error)) => return Ok(Some(self.flash_failed(error))),
        };
        if saves {
            let host = self.host.as_mut().expect("firmware runs");
            self.judge.saved(host.flash())?;
        }
        match carried {
            Carried::Done | Carried::NotKept(_) => Ok(None),
            Carried::Answer(answer) => {
                self.answers.push_back(answer.into());
                Ok(None)
            }
            Carried::Restart => Ok(Some(Stop::Reset(otaru_agent::ResetCause::Software))),
            Carried::Outside(effect) => self.carry_out_outside(effect),
        }
    }

    /// Records that cannot be written leave nothing but a restart.
    pub(super) fn flash_failed(&mut self, error: HostError) -> Stop {
        self.note(|| format!("  flash failed: {error}"));
        Stop::Reset(otaru_agent::ResetCause::Panic)
    }

    fn carry_out_outside(&mut self, effect: Effect<'_>) -> Result<Option<Stop>, Violation> {
        match effect {
            Effect::Subscribe(_) => {
                let session = self.session;
                self.later(50, Event::Subscribed { session });
            }
            Effect::Publish { topic, payload, .. } => {
                let mut bytes = Vec::new();
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                return self.publish(topic, bytes);
            }
            Effect::Disconnect => {
                let session = self.session;
                self.later(0, Event::LinkLost { session });
            }
            Effect::CheckManifest(wanted) => {
                self.stop_transfer();
                self.checked = None;
                let release = catalogue().by_version(wanted.version.as_str());
                let document = release.map(|release| self.sky.manifest(release));
                let took_ms = document.as_ref().map_or(0, |document| document.took_ms);
                let wanted = Some(wanted);
                self.transfer = Some(Transfer { wanted, document, ..Transfer::default() });
                self.later(100 + took_ms, Event::Manifest { transfer: self.transfers });
            }
            Effect::Download { target, from_start } => {
                self.judge.download_begins();
                return self.download(target, from_start);
            }
            Effect::StopTransfer => {
                self.stop_transfer();
                self.answers.retain(|answer| !matches!(answer, Input::SlotVerified(_)));
            }
            Effect::RunSelfTest => {
                let boot = self.boot;
                match self.behaviour {
                    Behaviour::Hang => {
                        self.hangs = true;
                        self.later(WATCHDOG_MS, Event::Watchdog { boot });
                    }
                    _ => self.later(SELF_TEST_MS, Event::SelfTest { boot }),
                }
            }
            Effect::ApplySetting { id, .. } => {
                self.answers.push_back(Input::SettingApplied(id));
            }
            Effect::Log(line) if self.life.keeps_logs => {
                let pushed = self.on_flash(|host, _| {
                    let (storage, flash) = host.storage();
                    storage.push_log(flash, line.message.concat().as_bytes())
                })?;
                match pushed {
                    None => return Ok(Some(Stop::PowerLost)),
                    Some(Err(error)) => return Ok(Some(self.flash_failed(error.into()))),
                    Some(Ok(())) => {}
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn publish(&mut self, topic: Topic, payload: Vec<u8>) -> Result<Option<Stop>, Violation> {
        let Topic::Shadow { topic: ShadowTopic::Request(verb), .. } = topic else {
            return Ok(None);
        };
        if !self.is_linked {
            return Ok(None);
        }
        let session = self.session;
        match verb {
            ShadowVerb::Get => self.send(Event::Get { payload }, session),
            _ => {
                let host = self.host.as_mut().expect("firmware runs");
                self.judge.reported(host.flash(), &payload)?;
                self.send(Event::Update { payload }, session);
            }
        }
        Ok(None)
    }

    /// The chain of trust, to its end.
    pub(super) fn check_manifest(
        &mut self,
        wanted: &Wanted,
        document: Option<Document>,
    ) -> Result<otaru_agent::Target, Fault> {
        let release = catalogue().by_version(wanted.version.as_str());
        let (Some(release), Some(document)) = (release, document) else {
            return Err(Reason::ManifestMissing.into());
        };
        let bytes = &document.bytes?;
        let now_s = self.wall_ms().map(|ms| ms / 1000);
        let manifest = Manifest::verify(bytes, &catalogue().root, now_s)
            .map_err(|error| Fault::from(error.reason()))?;
        let view = ManifestView::read_trusted(bytes)
            .map_err(|error| Fault::from(error.reason_of_manifest()))?;
        let product = product();
        let host = self.host.as_mut().expect("firmware runs");
        let (storage, flash) = host.storage();
        let trust = storage.trust(flash).map_err(|_| Fault::from(Reason::FlashFailed))?;
        let least = trust.least(&catalogue().root, wanted);
        let slot_bytes = self.layout.slot(host.slot().other()).size.into();
        let revision = Some(REVISION);
        let device = Device { product: &product, chip: CHIP, revision, slot_bytes, least };
        let target = check_manifest(&view, wanted, device)?;
        host.manifest_checked(view.signer);
        self.checked = Some((manifest, release.number));
        Ok(target)
    }

    fn download(
        &mut self,
        target: otaru_agent::Target,
        from_start: bool,
    ) -> Result<Option<Stop>, Violation> {
        let Some((manifest, release)) = self.checked.take() else {
            self.answers.push_back(Input::DownloadEnded(Err(Reason::Internal.into())));
            return Ok(None);
        };
        self.stop_transfer();
        let begun =
            self.on_flash(|host, _| host.patch_download(&target, &manifest, CHIP, from_start))?;
        match begun {
            None => Ok(Some(Stop::PowerLost)),
            Some(Err(error)) => Ok(Some(self.flash_failed(error))),
            Some(Ok(Err(fault))) => {
                self.answers.push_back(Input::DownloadEnded(Err(fault)));
                Ok(None)
            }
            Some(Ok(Ok(download))) => {
                let download = Some(download);
                self.transfer = Some(Transfer { download, release, ..Transfer::default() });
                self.ask_for_image()
            }
        }
    }

    /// Does something with flash and lets the judge look at it. `None` when power went.
    pub(super) fn on_flash<T>(
        &mut self,
        work: impl FnOnce(&mut Host<SimFlash<UNIT>>, Option<&mut Transfer>) -> T,
    ) -> Result<Option<T>, Violation> {
        let host = self.host.as_mut().expect("firmware runs");
        let before = self.judge.before(host.flash());
        let result = work(host, self.transfer.as_mut());
        let trace = host.flash().take_trace();
        let is_powered = host.flash().is_powered();
        if !trace.is_empty() {
            self.summary.trace.extend(&trace);
            // Without an update under way, desired may still name what was lost since.
            let (update, release, may_arm) = match &self.server.open {
                Some(open) => (open.id.as_str(), Some(open.release), self.may_arm),
                None => (self.server.desired_update(), self.server.desired_release(), true),
            };
            let wished = release.map(|release| Wished { update, release, may_arm });
            self.judge.effect_done(host.flash(), &trace, is_powered, before, wished)?;
            self.note_operations(&trace);
        }
        Ok(is_powered.then_some(result))
    }
}
