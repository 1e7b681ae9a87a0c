//! Power-on, the bootloader's choice, and firmware that starts; power that goes.

use otaru_agent::{Agent, BootFacts, ResetCause, Stored};
use otaru_host::{Host, HostError, Storage};
use otaru_release::Behaviour;
use otaru_sim_flash::{Cut, CutKind, SimFlash};
use otaru_slots::boot::images_for;
use otaru_slots::{BootError, Booted, Layout, boot, loader};

use super::{BOOTS_MAX, Event, Stop, WATCHED_MS, World, config};
use crate::catalogue::CHIP;
use crate::judge::Violation;
use crate::life::{Loader, Outage, Supply};

impl<const UNIT: usize> World<UNIT> {
    pub(super) fn cycle_power(&mut self) -> Result<(), Violation> {
        self.forget();
        let mut chip = self.take_chip();
        self.operations_before += chip.operations();
        chip.power_on();
        if self.next_outage == 0 {
            self.flip_bits(&mut chip);
        }
        chip.cut_power(Cut { at_operation: u64::MAX, kind: CutKind::Before });
        self.chip = Some(chip);
        self.knows_time = false;
        self.over_at_ms = Some(self.now_ms + WATCHED_MS);
        self.next_outage = usize::MAX;
        self.run_boots(ResetCause::PowerOn)
    }

    /// What a restart takes away.
    pub(super) fn forget(&mut self) {
        self.is_linked = false;
        self.answers.clear();
        self.stop_transfer();
        self.checked = None;
        self.hangs = false;
        let chip = self.take_chip();
        self.chip = Some(chip);
    }

    pub(super) fn take_chip(&mut self) -> SimFlash<UNIT> {
        self.agent = None;
        let chip = self.chip.take().or_else(|| self.host.take().map(Host::into_flash));
        chip.expect("a device has a chip")
    }

    /// Boots until the life is over.
    pub(super) fn run_boots(&mut self, mut reset: ResetCause) -> Result<(), Violation> {
        while self.run_until_dark(reset)? == Stop::PowerLost {
            reset = self.power_lost();
            self.start_anew();
        }
        Ok(())
    }

    /// Boots until power goes, or the life is over.
    pub(super) fn run_until_dark(&mut self, mut reset: ResetCause) -> Result<Stop, Violation> {
        loop {
            if self.boots_for_ever()? {
                return Ok(Stop::Over);
            }
            match self.run_boot(reset)? {
                Stop::Reset(cause) => reset = cause,
                stop => return Ok(stop),
            }
            self.start_anew();
        }
    }

    /// Power went, and the life goes on behind that, to its end.
    pub(super) fn live_on(&mut self) -> Result<(), Violation> {
        let reset = self.power_lost();
        self.start_anew();
        self.run_boots(reset)?;
        self.run_out()
    }

    fn start_anew(&mut self) {
        self.forget();
        self.note_rest();
        self.now_ms += 300;
    }

    /// Whether the bootloader starts an image for ever that none of ours can end.
    fn boots_for_ever(&mut self) -> Result<bool, Violation> {
        if self.boot < BOOTS_MAX {
            return Ok(false);
        }
        let chip = self.take_chip();
        let is_bootloaders_limit = self.judge.is_started_for_ever(&chip);
        self.chip = Some(chip);
        if !is_bootloaders_limit {
            return Err(Violation { rule: "I11", what: "it boots for ever".into() });
        }
        self.summary.limits += 1;
        Ok(true)
    }

    /// One boot, to its end.
    fn run_boot(&mut self, reset: ResetCause) -> Result<Stop, Violation> {
        self.boot += 1;
        self.booted_at_ms = self.now_ms;
        let mut chip = self.take_chip();
        let expected = self.judge.choice(&chip)?;
        let layout = Layout::read(&mut chip);
        let booted = match layout {
            Ok(layout) => {
                let image_ok = images_for(Some(CHIP.id()));
                match self.life.loader {
                    Loader::EspIdf => boot(&mut chip, &layout, image_ok),
                    Loader::Otaru => loader::start(&mut chip, &layout, image_ok),
                }
            }
            Err(_) => Err(BootError::NoBootableImage),
        };
        let is_powered = chip.is_powered();
        let trace = chip.take_trace();
        self.summary.trace.extend(&trace);
        self.judge.bootloader_done(&trace, is_powered)?;
        self.note(|| format!("boot after {reset:?}: {expected:?}, {booted:?}"));
        self.note_operations(&trace);
        let slot = match booted {
            _ if !is_powered => {
                self.chip = Some(chip);
                return Ok(Stop::PowerLost);
            }
            Ok(Booted::Slot(slot)) => slot,
            failed => {
                let what = format!("nothing starts: {failed:?}");
                return Err(Violation { rule: "I1", what });
            }
        };
        let release = self.judge.booted(&chip, expected, slot.index())?;
        self.behaviour = release.behaviour;
        if release.behaviour == Behaviour::Crash {
            self.note_rest();
            self.now_ms += 1_000;
            self.chip = Some(chip);
            return Ok(Stop::Reset(ResetCause::Panic));
        }
        // The chip is lent for the whole boot; a copy is what is left if the host cannot start.
        let mut host = match Host::start(chip.clone(), self.layout, slot, Some(CHIP)) {
            Ok(host) => host,
            Err(error) => return self.host_failed(chip, error),
        };
        let (facts, stored) = (host.facts(reset), host.stored());
        if !self.life.patches {
            host.forbid_patches();
        }
        let trace = host.flash().take_trace();
        self.summary.trace.extend(&trace);
        let alive = host.flash().is_powered();
        let before = self.judge.before(host.flash());
        self.judge.effect_done(host.flash(), &trace, alive, before, None)?;
        self.host = Some(host);
        if !alive {
            return Ok(Stop::PowerLost);
        }
        let (Ok(facts), Ok((journal, settings))) = (facts, stored) else {
            return Ok(Stop::Reset(ResetCause::Panic));
        };
        self.judge.read_journal(&journal)?;
        let recreated = self.host.as_mut().and_then(|host| host.storage().0.recreated());
        let stored = Stored { journal: &journal, settings: &settings, recreated };
        let (now, mut stop) = (self.moment(), Ok(None));
        let agent = Agent::start(config(), &facts, stored, now, &mut |effect| {
            self.carry_out(effect, &mut stop);
        });
        self.agent = Some(Box::new(agent));
        let boot = self.boot;
        self.later(500, Event::LinkUp { boot });
        if let Some(stop) = stop? {
            return Ok(stop);
        }
        if let Some(stop) = self.begin_trust(&facts)? {
            return Ok(stop);
        }
        let acknowledged = self.on_flash(|host, _| {
            let (storage, flash) = host.storage();
            storage.acknowledge_recreated(flash)
        })?;
        if acknowledged.is_none() {
            return Ok(Stop::PowerLost);
        }
        self.run_firmware()
    }

    /// What runs gets its floor, as in every host after the agent's first effects.
    fn begin_trust(&mut self, facts: &BootFacts) -> Result<Option<Stop>, Violation> {
        let Some(agent) = self.agent.take() else { return Ok(None) };
        let begun = self.on_flash(|host, _| host.begin_trust(facts, agent.journal()));
        self.agent = Some(agent);
        Ok(match begun? {
            None => Some(Stop::PowerLost),
            Some(Err(error)) => Some(self.flash_failed(error)),
            // What finds no room is told of, and begins anew at the next boot.
            Some(Ok(_)) => None,
        })
    }

    /// Opening the records lost power, or failed: the chip as the attempt left it is gone with
    /// the host, so it is done again on the chip itself.
    fn host_failed(
        &mut self,
        mut chip: SimFlash<UNIT>,
        error: HostError,
    ) -> Result<Stop, Violation> {
        let again = Storage::open(&mut chip, &self.layout);
        let is_powered = chip.is_powered();
        let trace = chip.take_trace();
        self.summary.trace.extend(&trace);
        let before = self.judge.before(&chip);
        self.judge.effect_done(&chip, &trace, is_powered, before, None)?;
        self.chip = Some(chip);
        if !is_powered {
            return Ok(Stop::PowerLost);
        }
        let what = format!("the records cannot be opened: {error} {:?}", again.err());
        Err(Violation { rule: "I6", what })
    }

    pub(super) fn arm_outage(&mut self, chip: &mut SimFlash<UNIT>) {
        self.operations_before += chip.operations();
        let cut = match self.life.outages.get(self.next_outage) {
            Some(&Outage { after, kind, .. }) => Cut { at_operation: after, kind },
            None => Cut { at_operation: u64::MAX, kind: CutKind::Before },
        };
        chip.cut_power(cut);
    }

    /// Bits turn over while the device is off for the first time.
    fn flip_bits(&mut self, chip: &mut SimFlash<UNIT>) {
        for &(offset, bit) in &self.life.flips {
            chip.flip_bit(offset, bit);
            self.judge.rots(offset);
            self.judge.flipped(offset);
        }
    }

    /// Power comes back; what the processor says about it.
    fn power_lost(&mut self) -> ResetCause {
        let mut chip = self.take_chip();
        let is_on_trial = self.judge.is_in_trial(&chip);
        let outage = self.life.outages.get(self.next_outage).copied();
        self.next_outage += 1;
        self.summary.outages += 1;
        self.judge.power_lost();
        chip.power_on();
        if self.next_outage == 1 {
            self.flip_bits(&mut chip);
        }
        if let Some(outage) = outage.filter(Outage::leaves_damage)
            && let Some(&hit) = self.summary.trace.last()
        {
            self.note(|| format!("cells are damaged: {:?}", outage.kind));
            self.judge.rots(hit.offset);
            if matches!(outage.kind, CutKind::Disturb { .. }) {
                self.judge.flipped(hit.offset);
            }
        }
        self.arm_outage(&mut chip);
        self.chip = Some(chip);
        match outage.map(|outage| outage.supply) {
            Some(Supply::Dip) => ResetCause::PowerOn,
            Some(Supply::Reset) => {
                self.crashes_of_trials += u32::from(is_on_trial);
                ResetCause::Watchdog
            }
            _ => {
                self.knows_time = false;
                self.now_ms += 10_000;
                ResetCause::PowerOn
            }
        }
    }
}
