//! What a simulated device does, for whoever runs many of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otaru_wire::{Outcome, Phase};

/// An agent with room for settings of one record of the device's storage.
pub(crate) type DeviceAgent = otaru_agent::Agent<8192>;

/// Shows one device. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct SimView(Arc<Mutex<Seen>>);

/// What is seen of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it has power.
    pub is_on: bool,
    /// Whether the shadow service answers it.
    pub is_online: bool,
    /// How far its update is; `None` when there is nothing to do.
    pub phase: Option<Phase>,
    /// What it runs, as it calls it.
    pub version: Option<String>,
    /// How its last update ended.
    pub last: Option<Outcome>,
    /// Boots so far.
    pub boots: u32,
    /// How often its power was cut.
    pub power_cuts: u32,
    /// Bytes of images and patches that came, those that came again included.
    pub received_bytes: u64,
    /// Why it cannot go on; `None` is a device that does.
    pub fault: Option<String>,
}

impl SimView {
    /// What is seen now.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    pub(crate) fn booted(&self, agent: &DeviceAgent) {
        {
            let mut seen = self.lock();
            (seen.is_on, seen.boots) = (true, seen.boots + 1);
            seen.version = agent.running().label.map(|label| label.to_string());
        }
        self.show(agent);
    }

    pub(crate) fn show(&self, agent: &DeviceAgent) {
        let mut seen = self.lock();
        seen.is_online = agent.is_online();
        seen.phase = agent.phase().told();
        seen.last = agent.journal().last.as_ref().map(|last| last.outcome);
    }

    /// Power is gone, by a cut or not.
    pub(crate) fn lost_power(&self, is_cut: bool) {
        let mut seen = self.lock();
        (seen.is_on, seen.is_online, seen.phase) = (false, false, None);
        seen.power_cuts += u32::from(is_cut);
    }

    /// It cannot go on.
    pub(crate) fn failed(&self, why: String) {
        let mut seen = self.lock();
        (seen.is_on, seen.is_online, seen.phase) = (false, false, None);
        seen.fault = Some(why);
    }

    /// A part of an image or of a patch came.
    pub(crate) fn received(&self, bytes: usize) {
        self.lock().received_bytes += bytes as u64;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
